//! The worker: a proxy on one reactor. It owns all driven objects, and drives them.

mod accept;
mod bans;
mod check;
mod drive;
mod listen;
mod listener;
mod shedding;
mod succession;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::geo::{GeoDatabases, Place};
use crate::proxy::admin::AdminServer;
use crate::proxy::admin::connection::AdminConnection;
use crate::proxy::admin::listener::AdminListener;
use crate::proxy::admin::reload::ReloadRequest;
use crate::proxy::auth::Authentication;
use crate::proxy::certify::Certifier;
use crate::proxy::client::Client;
use crate::proxy::compress::Compressor;
use crate::proxy::environment::Environment;
use crate::proxy::error::Timeout;
use crate::proxy::explain::query::ExplainQuery;
use crate::proxy::explain::{ExplainTask, Explainer, Explanation};
use crate::proxy::fetch::state::Fetch;
use crate::proxy::hook::Hook;
use crate::proxy::mail::{Command, Mail};
use crate::proxy::observe::disk_figures::DiskProbe;
use crate::proxy::observe::process_figures::ProcessProbe;
use crate::proxy::observe::stats::Stats;
use crate::proxy::observe::stats::gauges::{GaugeLimits, Gauges, OriginGauge};
use crate::proxy::origin::pool::Idle;
use crate::proxy::origin::resolver::ResolverTask;
use crate::proxy::settings::Settings;
use crate::proxy::shared::Shared;
use crate::proxy::tunnel::Tunnel;
use crate::proxy::upkeep::Upkeep;
use crate::proxy::upkeep::probe::Probe;
use crate::reactor::{Arena, Driven, Endpoint, Id, LoopStats, Reactor, Wake};
use crate::time::Now;

use listener::ClientListener;

/// A caching proxy, driven by a reactor.
#[derive(Debug)]
pub struct Worker {
    listeners: Arena<ClientListener>,
    clients: Arena<Client>,
    fetches: Arena<Fetch>,
    tunnels: Arena<Tunnel>,
    compressors: Arena<Compressor>,
    shared: Shared,
    admin: AdminServer,
    explain_tasks: Arena<ExplainTask>,
    /// The certifier, if certificates are obtained from a CA.
    certifiers: Arena<Certifier>,
    housekeeping: Id<Housekeeping>,
    upkeep: Id<Upkeep>,
    /// Checks of origins under way.
    probes: Arena<Probe>,
    /// Clients that the machine can serve, used where the settings set no bound.
    client_capacity: usize,
    /// Time of the last scan for connections to close.
    looked_at: Option<Instant>,
    /// Connections examined by that scan, if it did not reach the last one: the next scan begins
    /// after them.
    looked_through: usize,
    drain_until: Option<Instant>,
    stopped: bool,
}

/// Driven after the other objects of a turn, if log lines or cache work are pending.
#[derive(Debug)]
struct Housekeeping;

impl Driven for Housekeeping {
    const KIND: u8 = 5;
}

/// No two types of driven objects share a kind: a token of one would be taken for one of the other.
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
        Certifier::KIND,
        Upkeep::KIND,
        Probe::KIND,
        Compressor::KIND,
    ];
    let (mut seen, mut at) = (0_u32, 0);
    while at < kinds.len() {
        assert!(seen & (1 << kinds[at]) == 0, "a kind is given twice");
        seen |= 1 << kinds[at];
        at += 1;
    }
};

impl Worker {
    /// Creates a proxy without listeners. `client_capacity` is the number of clients, and of
    /// connections to origins, that the machine can serve; it bounds both unless the settings do.
    #[must_use]
    pub fn new(settings: Settings, surroundings: Environment, client_capacity: usize) -> Self {
        let upkeep = Arena::new().insert(Upkeep);
        Self {
            listeners: Arena::new(),
            clients: Arena::new(),
            fetches: Arena::new(),
            tunnels: Arena::new(),
            compressors: Arena::new(),
            housekeeping: Arena::new().insert(Housekeeping),
            upkeep,
            probes: Arena::new(),
            client_capacity,
            looked_at: None,
            looked_through: 0,
            admin: AdminServer::new(),
            explain_tasks: Arena::new(),
            certifiers: Arena::new(),
            drain_until: None,
            stopped: false,
            shared: Shared::new(settings, surroundings, client_capacity, upkeep.token()),
        }
    }

    /// Opens the control socket at `path` in the file system, for the owner of this process. It
    /// stays open until the proxy ends, also during a drain.
    ///
    /// # Errors
    /// As [`Reactor::listen_local`].
    pub fn listen_control(&mut self, reactor: &mut Reactor<Mail>, path: &Path) -> io::Result<()> {
        self.admin.listen_local(reactor, path)
    }

    /// Obtains and renews certificates from now on. A worker has one certifier: this is called once.
    pub fn certify(&mut self, certifier: Certifier, reactor: &mut Reactor<Mail>) {
        certifier.begin(&mut self.shared);
        reactor.wake(self.certifiers.insert(certifier).token());
    }

    /// Begins an explanation of how a request would be handled. Only name servers are contacted: the
    /// hook, which may decide otherwise, is not asked. The result is taken by
    /// [`take_explanation`](Self::take_explanation).
    pub fn explain(&mut self, question: ExplainQuery, reactor: &mut Reactor<Mail>) {
        let explaining = Explainer::new(question, reactor.now(), &self.shared);
        let id = self.explain_tasks.insert(ExplainTask::new(explaining));
        reactor.wake(id.token());
    }

    /// Takes a finished explanation.
    pub fn take_explanation(&mut self) -> Option<Explanation> {
        let (id, _) = self.explain_tasks.iter().find(|(_, inquiry)| inquiry.answer.is_some())?;
        self.explain_tasks.remove(id)?.answer
    }

    /// Accepts reload requests of operators from now on. The embedder takes them
    /// ([`take_reload`](Self::take_reload)) after each turn. Before, such requests fail.
    pub const fn offer_reloads(&mut self) {
        self.admin.offer_reloads();
    }

    /// Names a `command` in responses to requests that rules deny, from now on. It explains the
    /// denial, with the request as its last argument.
    pub fn offer_explanations(&mut self, command: String) {
        self.shared.explain = Some(command);
    }

    /// Sets the source of the figures of the process for metrics. There are none without it.
    pub fn set_process_probe(&mut self, probe: Box<dyn ProcessProbe>) {
        self.shared.process = Some(probe);
    }

    /// Sets the source of the figures of disks for metrics. There are none without it.
    pub fn set_disk_probe(&mut self, probe: Box<dyn DiskProbe>) {
        self.shared.disks = Some(probe);
    }

    /// Sets the hook, which is called for each request from now on, in place of an earlier one. The hook
    /// stays across reloads.
    pub fn set_hook(&mut self, hook: Box<dyn Hook>) {
        self.shared.hook = Some(hook);
    }

    /// Takes the next reload request. The operator waits for its answer for some seconds.
    pub fn take_reload(&mut self) -> Option<ReloadRequest> {
        self.admin.take_reload()
    }

    /// Answers a reload request: text to print, or the reason of a failure.
    pub fn answer_reload(
        &mut self,
        request: &ReloadRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        self.admin.answer_reload(request, answer, reactor);
    }

    /// Returns the current settings. A caller that still holds them when they are replaced frees
    /// them itself, which may take long.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.shared.settings
    }

    /// Looks places of clients up in these databases, in place of the settings' own. Each tunnel checks
    /// whether the rules still allow it.
    pub fn locate_by(&mut self, databases: Arc<GeoDatabases>, reactor: &mut Reactor<Mail>) {
        self.shared.locate_by(databases);
        self.shared.reloads += 1;
        self.tunnels.iter().for_each(|(id, _)| reactor.wake(id.token()));
    }

    /// Returns the place of a client, by the databases in use. What they do not know, and what cannot be
    /// read, is unknown in it.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        self.shared.place(address)
    }

    /// Serves metrics for Prometheus at `/metrics` of an endpoint, such as an address. Returns the
    /// address, whose port the system has chosen if it was 0.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn listen_metrics(
        &mut self,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        let address = self.admin.listen(reactor, endpoint.into())?;
        self.shared.origins.interfaces.add_listener(address);
        Ok(address)
    }

    /// Executes a command.
    pub fn command(&mut self, command: Command, reactor: &mut Reactor<Mail>) {
        match command {
            Command::Drain => self.drain(reactor),
            Command::HandOver => self.hand_over(reactor),
            Command::Stop => self.stopped = true,
            Command::Reload(settings) => self.reload(settings, reactor),
            Command::Reopen => self.shared.log.reopen(),
        }
    }

    /// Returns true if the proxy was stopped, or is drained and has no exchange and no answer to an operator
    /// left.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let is_drained = self.listeners.is_empty() && self.is_empty();
        self.stopped || (self.shared.draining && is_drained && !self.admin.is_answering())
    }

    /// Returns true once a drain has begun.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.shared.draining
    }

    /// Returns the number of open client connections, tunnels included.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.clients.len() + self.tunnels.len()
    }

    /// Takes a line for the operator, if there is one.
    pub fn take_notice(&mut self) -> Option<String> {
        if !self.shared.notices.is_empty() {
            return Some(self.shared.notices.remove(0));
        }
        self.shared.admission.take_notice()
    }

    /// Returns a file for name lookups (such as resolv.conf) that can no longer be read. Its last
    /// content applies.
    #[must_use]
    pub fn lost_file(&self) -> Option<&Path> {
        self.shared.origins.names.lost_file()
    }

    /// Returns a line for each exchange in progress, to report a drain that takes too long.
    #[must_use]
    pub fn dump(&self) -> Vec<String> {
        let clients = self.clients.iter().map(|(_, client)| client.dump());
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.dump());
        let fetches = self.fetches.iter().map(|(_, fetch)| fetch.dump());
        clients.chain(tunnels).chain(fetches).collect()
    }

    /// Returns true if no exchange is left. Listeners and idle connections to origins may be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
            && self.fetches.is_empty()
            && self.tunnels.is_empty()
            && self.compressors.is_empty()
            && self.shared.responses.is_empty()
            && self.shared.uploads.is_empty()
    }

    /// Returns the number of idle connections to origins.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.shared.origins.pool.len()
    }

    /// Returns the size of the cache.
    #[must_use]
    pub fn cache_stats(&self) -> crate::cache::CacheStats {
        self.shared.cache.stats()
    }

    /// Returns true if the embedder should sample the heap
    /// ([`set_heap_usage`](Self::set_heap_usage)).
    #[must_use]
    pub const fn wants_heap_sample(&self) -> bool {
        self.shared.cache.wants_heap_sample()
    }

    /// Sets the bytes of the heap that are `used`, and those that the allocator `held` for them.
    /// The cache is charged its share of the difference. Without this call, it is charged only what
    /// it allocated.
    pub fn set_heap_usage(&mut self, used: usize, held: usize) {
        self.shared.cache.set_heap_usage(used, held);
    }

    /// Returns the metrics at the time `now`; `load` is that of the reactor.
    #[must_use]
    pub fn stats(&self, load: &LoopStats, now: Now) -> Stats {
        let figures = self.shared.process_figures();
        Stats::of(&self.shared.counters, &self.gauges(now), load, figures, now)
    }

    /// Returns the days that are left to the certificates of this server, by their first name; of those
    /// with the same one, to the first that expires.
    fn certificates(&self, now: SystemTime) -> Vec<(String, u64)> {
        const DAY: u64 = 24 * 60 * 60;
        let tls = self.shared.identity.tls();
        let list = tls.map_or(&[][..], |tls| tls.certificates().list());
        let mut days = BTreeMap::new();
        for certificate in list {
            let left = certificate.facts.not_after.duration_since(now).unwrap_or_default();
            let name = certificate.names().into_iter().next().unwrap_or_default();
            let least = days.entry(name).or_insert(u64::MAX);
            *least = (left.as_secs() / DAY).min(*least);
        }
        days.into_iter().collect()
    }

    /// Returns the state of each member of the groups of origins.
    fn origins(&self, now: Instant) -> Vec<OriginGauge> {
        let groups = self.shared.origins.groups.all();
        groups.flat_map(|group| group.gauges(now)).collect()
    }

    fn gauges(&self, now: Now) -> Gauges {
        Gauges {
            cache: self.shared.cache.stats(),
            clients: self.clients.len(),
            tunnels: self.tunnels.len(),
            fetching: self.fetches.len(),
            pooled: self.shared.origins.pool.len(),
            passwords: self.shared.authentications.values().map(Authentication::pending).sum(),
            lost_log_lines: self.shared.log.lost(),
            strays: self.shared.origins.pool.strays(),
            refused: self.shared.admission.refused(),
            memory: self.shared.memory.held(),
            certificates: self.certificates(now.wall),
            origins: self.origins(now.mono),
            bans: self.shared.throttling.bans.len(),
            filled: self.shared.admission.filled(),
            disks: self.shared.disks.as_ref().map_or_else(Vec::new, |probe| probe.read()),
            limits: GaugeLimits {
                cache: self.shared.cache.limits().memory,
                clients: self.shared.admission.places(),
                pooled: self.shared.origins.pool.bound(),
                memory: self.shared.memory.bound(),
            },
        }
    }

    /// Cuts off and logs all exchanges that are left, after a drain that took too long. Incomplete
    /// responses are reset, so that no client takes them for complete.
    pub fn abort(&mut self, reactor: &mut Reactor<Mail>) {
        self.abort_all(&Timeout::Drain.into(), reactor);
        self.admin.close(reactor, &mut self.shared);
        for (_, probe) in self.probes.iter_mut() {
            probe.close(reactor, &mut self.shared);
        }
        self.shared.origins.names.close(reactor);
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
        self.shared.origins.pool.clear(reactor);
        self.clients.iter().for_each(|(id, _)| reactor.wake(id.token()));
        self.certifiers.iter().for_each(|(id, _)| reactor.wake(id.token()));
    }

    fn reload(&mut self, settings: Arc<Settings>, reactor: &mut Reactor<Mail>) {
        self.shared.reload(settings, self.client_capacity, reactor);
        // Each tunnel checks whether the new settings still allow it.
        self.tunnels.iter().for_each(|(id, _)| reactor.wake(id.token()));
        reactor.wake(self.upkeep.token());
        self.resume(reactor);
    }
}
