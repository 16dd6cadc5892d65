//! The proxy as a program on a reactor: its arenas, and who is driven with what.

mod accept;
mod check;
mod listener;
mod shedding;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::proxy::admin::connection::AdminConnection;
use crate::proxy::admin::reload::ReloadRequest;
use crate::proxy::admin::{AdminListener, AdminServer};
use crate::proxy::auth::Authentication;
use crate::proxy::client::context::ClientCx;
use crate::proxy::client::{Client, Drive};
use crate::proxy::environment::Environment;
use crate::proxy::explain::query::ExplainQuery;
use crate::proxy::explain::{ExplainTask, Explainer, Explanation};
use crate::proxy::fetch::context::FetchCx;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::{Command, Mail};
use crate::proxy::observe::stats::{Gauges, Stats};
use crate::proxy::origin::pool::Idle;
use crate::proxy::origin::resolver::ResolverTask;
use crate::proxy::settings::Settings;
use crate::proxy::shared::Shared;
use crate::proxy::tunnel::Tunnel;
use crate::reactor::{App, Arena, Budget, Driven, Endpoint, Event, Id, LoopStats, Reactor, Wake};

use listener::ClientListener;

/// A caching proxy.
#[derive(Debug)]
pub struct Worker {
    listeners: Arena<ClientListener>,
    clients: Arena<Client>,
    fetches: Arena<Fetch>,
    tunnels: Arena<Tunnel>,
    shared: Shared,
    admin: AdminServer,
    explain_tasks: Arena<ExplainTask>,
    housekeeping: Id<Housekeeping>,
    /// How many clients there is room for, where the settings do not say.
    client_capacity: usize,
    /// When connections were last looked at, to close some.
    looked_at: Option<Instant>,
    /// How many connections were looked at then, if not all.
    looked_through: usize,
    drain_until: Option<Instant>,
    stopped: bool,
}

/// Driven once after the others of a turn, if there is something to clear up.
#[derive(Debug)]
struct Housekeeping;

impl Driven for Housekeeping {
    const KIND: u8 = 5;
}

/// No two of those that are driven have one kind: each would take the other's token for its own.
const _: () = {
    let kinds = [
        ClientListener::KIND,
        Client::KIND,
        Fetch::KIND,
        Tunnel::KIND,
        Idle::KIND,
        Housekeeping::KIND,
        AdminListener::KIND,
        AdminConnection::KIND,
        ResolverTask::KIND,
        ExplainTask::KIND,
    ];
    let (mut seen, mut at) = (0_u32, 0);
    while at < kinds.len() {
        assert!(seen & (1 << kinds[at]) == 0, "a kind is given twice");
        seen |= 1 << kinds[at];
        at += 1;
    }
};

impl Worker {
    /// A proxy that listens nowhere yet. There is room for `bearable` clients and as many
    /// connections to origins; that bounds both, unless the settings say otherwise.
    #[must_use]
    pub fn new(settings: Settings, surroundings: Environment, bearable: usize) -> Self {
        Self {
            listeners: Arena::new(),
            clients: Arena::new(),
            fetches: Arena::new(),
            tunnels: Arena::new(),
            housekeeping: Arena::new().insert(Housekeeping),
            client_capacity: bearable,
            looked_at: None,
            looked_through: 0,
            admin: AdminServer::new(),
            explain_tasks: Arena::new(),
            drain_until: None,
            stopped: false,
            shared: Shared::new(settings, surroundings, bearable),
        }
    }

    /// Takes commands of the owner of this process at `path` in the file system. It does so until
    /// the proxy is over, also while it drains.
    ///
    /// # Errors
    /// As [`Reactor::listen_local`].
    pub fn listen_control(&mut self, reactor: &mut Reactor<Mail>, path: &Path) -> io::Result<()> {
        self.admin.listen_local(reactor, path)
    }

    /// Begins to explain what would become of a request. Name servers may be asked, nobody else.
    pub fn explain(&mut self, question: ExplainQuery, reactor: &mut Reactor<Mail>) {
        let explaining = Explainer::new(question, reactor.now(), &self.shared);
        let id = self.explain_tasks.insert(ExplainTask::new(explaining));
        reactor.wake(id.token());
    }

    /// What came of an explanation, once that has come about.
    pub fn take_explanation(&mut self) -> Option<Explanation> {
        let (id, _) = self.explain_tasks.iter().find(|(_, inquiry)| inquiry.answer.is_some())?;
        self.explain_tasks.remove(id)?.answer
    }

    /// From now on operators may ask for a reload: the program around the proxy takes what they ask
    /// after each turn. Without, they are told that there is none.
    pub const fn offer_reloads(&mut self) {
        self.admin.offer_reloads();
    }

    /// From now on, clients are told of a `command` that explains what rules deny, with the request
    /// behind it.
    pub fn offer_explanations(&mut self, command: String) {
        self.shared.explain = Some(command);
    }

    /// A reload, or a plan of one, that an operator waits for; for some seconds.
    pub fn take_reload(&mut self) -> Option<ReloadRequest> {
        self.admin.take_reload()
    }

    /// Tells the operator what came of it: text to be printed, or why it could not be done.
    pub fn answer_reload(
        &mut self,
        request: &ReloadRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        self.admin.answer_reload(request, answer, reactor);
    }

    /// The settings that hold. A holder lets go of them before they are replaced, or frees them
    /// itself.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.shared.settings
    }

    /// Serves figures at `/metrics` at an endpoint, such as an address, for Prometheus; says which
    /// address that is, if the port was 0.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn listen_metrics(
        &mut self,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        let address = self.admin.listen(reactor, endpoint.into())?;
        self.shared.interfaces.add_listener(address);
        Ok(address)
    }

    /// Does as told.
    pub fn command(&mut self, command: Command, reactor: &mut Reactor<Mail>) {
        match command {
            Command::Drain => self.drain(reactor),
            Command::Stop => self.stopped = true,
            Command::Reload(settings) => self.reload(settings, reactor),
            Command::Reopen => self.shared.log.reopen(),
        }
    }

    /// Whether it has nothing more to do: it was stopped, or drained and is empty.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stopped || (self.shared.draining && self.listeners.is_empty() && self.is_empty())
    }

    /// Whether it was told to drain.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.shared.draining
    }

    /// Clients and tunnels that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.clients.len() + self.tunnels.len()
    }

    /// A line for the operator about something that has come about.
    pub fn take_notice(&mut self) -> Option<String> {
        self.shared.admission.take_notice()
    }

    /// A file about names that was read once and cannot be any more: it counts as it was.
    #[must_use]
    pub fn lost_file(&self) -> Option<&Path> {
        self.shared.names.lost_file()
    }

    /// What is still going on, one line each; for a drain that takes too long.
    #[must_use]
    pub fn dump(&self) -> Vec<String> {
        let clients = self.clients.iter().map(|(_, client)| client.dump());
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.dump());
        let fetches = self.fetches.iter().map(|(_, fetch)| fetch.describe());
        clients.chain(tunnels).chain(fetches).collect()
    }

    /// Whether nothing is left of any exchange; listeners and idle connections to origins may be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
            && self.fetches.is_empty()
            && self.tunnels.is_empty()
            && self.shared.responses.is_empty()
            && self.shared.uploads.is_empty()
    }

    /// Idle connections to origins.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.shared.pool.len()
    }

    /// What the cache holds.
    #[must_use]
    pub fn cache_stats(&self) -> crate::cache::CacheStats {
        self.shared.cache.stats()
    }

    /// Whether the heap is worth another look.
    #[must_use]
    pub const fn wants_heap_sample(&self) -> bool {
        self.shared.cache.wants_heap_sample()
    }

    /// Says how many bytes of its heap the process uses, and how many the allocator holds for that:
    /// the cache counts those, too. Without an allocator that knows, it counts what it asked for.
    pub fn set_heap_usage(&mut self, used: usize, held: usize) {
        self.shared.cache.set_heap_usage(used, held);
    }

    /// Figures about what it has done and is doing.
    #[must_use]
    pub fn stats(&self, load: &LoopStats) -> Stats {
        Stats::of(&self.shared.counters, &self.gauges(), load)
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            cache: self.shared.cache.stats(),
            clients: self.clients.len(),
            tunnels: self.tunnels.len(),
            fetching: self.fetches.len(),
            pooled: self.shared.pool.len(),
            passwords: self.shared.authentication.as_ref().map_or(0, Authentication::pending),
            lost_log_lines: self.shared.log.lost(),
            strays: self.shared.pool.strays(),
            refused: self.shared.admission.refused(),
            memory: self.shared.memory.held(),
        }
    }

    /// Ends whatever is left, after a drain that took too long, and writes it down. Nobody is left
    /// to take a part of something for the whole.
    pub fn give_up(&mut self, reactor: &mut Reactor<Mail>) {
        self.give_up_all("drain-timeout", reactor);
        self.admin.close(reactor, &mut self.shared);
        self.shared.names.close(reactor);
        self.shared.log.flush();
    }

    fn drain(&mut self, reactor: &mut Reactor<Mail>) {
        if std::mem::replace(&mut self.shared.draining, true) {
            return;
        }
        let until = reactor.now().mono + self.shared.settings.limits.drain_timeout;
        self.drain_until = Some(until);
        reactor.set_deadline(self.housekeeping.token(), Some(until));
        for (id, gate) in self.listeners.iter_mut() {
            gate.drain();
            reactor.wake(id.token());
        }
        self.shared.pool.clear(reactor);
        self.clients.iter().for_each(|(id, _)| reactor.wake(id.token()));
    }

    fn reload(&mut self, settings: Arc<Settings>, reactor: &mut Reactor<Mail>) {
        self.shared.reload(settings, self.client_capacity, reactor);
        self.tunnels.iter().for_each(|(id, _)| reactor.wake(id.token())); // they judge themselves anew
        self.resume(reactor);
    }

    fn drive_client(&mut self, id: Id<Client>, reactor: &mut Reactor<Mail>) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let mut cx = ClientCx {
            reactor,
            shared: &mut self.shared,
            fetches: &mut self.fetches,
            tunnels: &mut self.tunnels,
            budget: Budget::default(),
        };
        match client.drive(&mut cx) {
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
                let held = client.holds(&self.shared);
                self.shared.memory.count(&mut client.held, held);
            }
        }
    }

    fn drive_fetch(&mut self, id: Id<Fetch>, reactor: &mut Reactor<Mail>) {
        let Some(fetch) = self.fetches.get_mut(id) else { return };
        let mut cx = FetchCx { reactor, shared: &mut self.shared, budget: Budget::default() };
        if fetch.drive(&mut cx) {
            let held = fetch.holds();
            self.shared.memory.count(&mut fetch.held, held);
        } else {
            self.fetches.remove(id);
        }
    }

    fn drive_tunnel(&mut self, id: Id<Tunnel>, reactor: &mut Reactor<Mail>) {
        let Some(tunnel) = self.tunnels.get_mut(id) else { return };
        if tunnel.drive(reactor, &mut self.shared) {
            let held = tunnel.holds();
            self.shared.memory.count(&mut tunnel.held, held);
        } else {
            if let Some(tunnel) = self.tunnels.remove(id) {
                tunnel.end(reactor, &mut self.shared);
            }
            self.resume(reactor);
        }
    }

    fn drive_idle(&mut self, id: Id<Idle>, reactor: &mut Reactor<Mail>) {
        self.shared.pool.drive(id, &self.shared.settings.limits, reactor);
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

impl App for Worker {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Mail(Mail::Resolved(name, addresses)) => {
                self.shared.names.answered(&name, addresses, reactor.now().mono, reactor);
            }
            Event::Mail(Mail::Verified(done)) => {
                let now = reactor.now();
                if let Some(authentication) = &mut self.shared.authentication {
                    authentication.verification_done(done, now, reactor);
                }
            }
            Event::Mail(Mail::Addresses(addresses)) => {
                self.shared.interfaces.set_addresses(addresses);
            }
            Event::Mail(Mail::Command(command)) => self.command(command, reactor),
            // The program around it takes its mail, and turns signals into commands.
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
                } else if token.id::<ResolverTask>().is_some() {
                    self.shared.names.drive(token, reactor);
                } else if let Some(id) = token.id::<ClientListener>() {
                    self.accept(id, reactor);
                } else if let Some(id) = token.id::<AdminConnection>() {
                    let gauges = self.gauges();
                    self.admin.drive(id, reactor, &mut self.shared, &gauges);
                } else if let Some(id) = token.id::<ExplainTask>() {
                    if let Some(inquiry) = self.explain_tasks.get_mut(id) {
                        inquiry.drive(token, reactor, &mut self.shared);
                    }
                } else if let Some(id) = token.id::<AdminListener>() {
                    self.admin.accept(id, reactor, &mut self.shared);
                } else {
                    self.keep_house(reactor);
                }
            }
        }
        self.shared.free_retired();
        if self.shared.memory.is_exhausted() {
            self.relieve_memory(reactor);
        }
        if self.shared.log.has_lines() || self.shared.cache.has_work() {
            reactor.wake(self.housekeeping.token());
        }
    }
}
