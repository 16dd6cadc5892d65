//! Events of the reactor: each drives the object that its token names.

use crate::proxy::admin::connection::AdminConnection;
use crate::proxy::admin::listener::AdminListener;
use crate::proxy::certify::Certifier;
use crate::proxy::client::context::ClientCx;
use crate::proxy::client::{Client, Drive};
use crate::proxy::compress::Compressor;
use crate::proxy::explain::ExplainTask;
use crate::proxy::fetch::context::FetchCx;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::Mail;
use crate::proxy::origin::pool::Idle;
use crate::proxy::origin::resolver::ResolverTask;
use crate::proxy::tunnel::Tunnel;
use crate::proxy::upkeep;
use crate::proxy::upkeep::probe::Probe;
use crate::reactor::{App, Budget, Event, Id, Reactor, Wake};

use super::Worker;
use super::listener::ClientListener;

impl App for Worker {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Mail(Mail::Resolved(name, addresses)) => {
                self.shared.origins.names.answered(&name, addresses, reactor.now().mono, reactor);
            }
            Event::Mail(Mail::Verified(done)) => {
                let now = reactor.now();
                let mut all = self.shared.authentications.values_mut();
                if let Some(authentication) = all.find(|one| one.awaits(&done.ticket())) {
                    authentication.verification_done(done, now, reactor);
                }
            }
            Event::Mail(Mail::Job(done)) => {
                let unwanted = self.shared.jobs.done(*done, reactor);
                unwanted.into_iter().for_each(|answer| self.shared.reclaim(answer));
            }
            Event::Mail(Mail::Addresses(addresses)) => {
                self.shared.origins.interfaces.set_addresses(addresses);
            }
            Event::Mail(Mail::Command(command)) => self.command(command, reactor),
            // For the embedder, which takes its mail and turns signals into commands before this.
            Event::Mail(Mail::Program(_)) | Event::Signal(_) => {}
            Event::Drive(token, _) => {
                if let Some(id) = token.id::<Client>() {
                    self.drive_client(id, reactor);
                } else if let Some(id) = token.id::<Fetch>() {
                    self.drive_fetch(id, reactor);
                } else if let Some(id) = token.id::<Idle>() {
                    self.drive_idle(id, reactor);
                } else if let Some(id) = token.id::<Tunnel>() {
                    self.drive_tunnel(id, reactor);
                } else if let Some(id) = token.id::<Compressor>() {
                    self.drive_compressor(id, reactor);
                } else if let Some(id) = token.id::<Probe>() {
                    self.drive_probe(id, reactor);
                } else if token == self.upkeep.token() {
                    upkeep::drive(token, &mut self.probes, reactor, &mut self.shared);
                } else if token.id::<ResolverTask>().is_some() {
                    self.shared.origins.names.drive(token, reactor);
                } else if let Some(id) = token.id::<ClientListener>() {
                    self.accept(id, reactor);
                } else if let Some(id) = token.id::<AdminConnection>() {
                    let gauges = self.gauges(reactor.now());
                    self.admin.drive(id, reactor, &mut self.shared, &gauges);
                    self.yield_to_successor(reactor);
                    if self.shared.identity.has_wanted() {
                        self.certifiers.iter().for_each(|(id, _)| reactor.wake(id.token()));
                    }
                    if self.shared.origins.groups.take_ordered() {
                        reactor.wake(self.upkeep.token());
                    }
                } else if let Some(id) = token.id::<ExplainTask>() {
                    if let Some(inquiry) = self.explain_tasks.get_mut(id) {
                        inquiry.drive(token, reactor, &mut self.shared);
                    }
                } else if let Some(id) = token.id::<Certifier>() {
                    if let Some(certifier) = self.certifiers.get_mut(id) {
                        certifier.drive(id, reactor, &mut self.shared, &mut self.fetches);
                    }
                } else if let Some(id) = token.id::<AdminListener>() {
                    self.admin.accept(id, reactor, &mut self.shared);
                } else {
                    self.keep_house(reactor);
                }
            }
        }
        self.shared.free_retired();
        if self.shared.throttling.bans.has_news() {
            reactor.wake(self.upkeep.token());
        }
        self.shared.journal.take_news().iter().for_each(|&reader| reactor.wake(reader));
        if self.shared.memory.is_exhausted() {
            self.relieve_memory(reactor);
        }
        if self.shared.log.has_lines() || self.shared.cache.has_work() {
            reactor.wake(self.housekeeping.token());
        }
    }
}

impl Worker {
    fn drive_probe(&mut self, id: Id<Probe>, reactor: &mut Reactor<Mail>) {
        let Some(probe) = self.probes.get_mut(id) else { return };
        if probe.drive(reactor, &mut self.shared) {
            self.probes.remove(id);
        }
    }

    fn drive_client(&mut self, id: Id<Client>, reactor: &mut Reactor<Mail>) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Self { shared, fetches, tunnels, compressors, .. } = self;
        let mut cx = ClientCx::new(reactor, shared, fetches, tunnels, compressors);
        let drive = client.drive(&mut cx);
        cx.shared.counters.of_clients.count(&cx.budget);
        match drive {
            Drive::Gone => {
                if let Some(client) = self.clients.remove(id) {
                    client.end(&mut cx);
                }
                self.resume(reactor);
            }
            Drive::HandedOver => {
                if let Some(client) = self.clients.remove(id) {
                    client.hand_over(reactor, &mut self.shared);
                }
            }
            Drive::Park => {
                let held = client.holds(reactor, &self.shared);
                self.shared.memory.count(&mut client.held, held);
            }
        }
    }

    fn drive_fetch(&mut self, id: Id<Fetch>, reactor: &mut Reactor<Mail>) {
        let Some(fetch) = self.fetches.get_mut(id) else { return };
        let mut cx = FetchCx { reactor, shared: &mut self.shared, budget: Budget::default() };
        let continues = fetch.drive(&mut cx);
        cx.shared.counters.of_origins.count(&cx.budget);
        if continues {
            let held = fetch.holds(reactor);
            self.shared.memory.count(&mut fetch.held, held);
        } else {
            self.fetches.remove(id);
        }
    }

    fn drive_compressor(&mut self, id: Id<Compressor>, reactor: &mut Reactor<Mail>) {
        let Some(compressor) = self.compressors.get_mut(id) else { return };
        if !compressor.drive(reactor, &mut self.shared) {
            self.compressors.remove(id);
        }
    }

    fn drive_tunnel(&mut self, id: Id<Tunnel>, reactor: &mut Reactor<Mail>) {
        let Some(tunnel) = self.tunnels.get_mut(id) else { return };
        if tunnel.drive(reactor, &mut self.shared) {
            let held = tunnel.holds(reactor);
            self.shared.memory.count(&mut tunnel.held, held);
        } else {
            if let Some(tunnel) = self.tunnels.remove(id) {
                tunnel.end(reactor, &mut self.shared);
            }
            self.resume(reactor);
        }
    }

    fn drive_idle(&mut self, id: Id<Idle>, reactor: &mut Reactor<Mail>) {
        self.shared.origins.pool.drive(id, &self.shared.settings.limits, reactor);
        self.shared.forget_doubtful();
    }

    fn keep_house(&mut self, reactor: &Reactor<Mail>) {
        self.shared.log.flush();
        self.shared.cache.run_deferred();
        if self.drain_until.is_some_and(|until| reactor.now().mono >= until) {
            self.stopped = true;
        }
    }
}
