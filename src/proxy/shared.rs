//! State shared by clients, fetches and tunnels.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::access::RuleSet;
use crate::auth::VerifyId;
use crate::cache::{Cache, CacheLimits, KeyBuilder, Presented};
use crate::geo::{GeoDatabases, Place};
use crate::http::{HeadLimits, RequestHead};
use crate::proxy::auth::{Authentication, Secrets};
use crate::proxy::jobs::Jobs;
use crate::proxy::observe::access_log::AccessLog;
use crate::proxy::observe::counters::Counters;
use crate::proxy::observe::disk_figures::DiskProbe;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::journal::Journal;
use crate::proxy::observe::listener::{AuthScope, ListenerInfo, ListenerSettings};
use crate::proxy::observe::not_stored_urls::NotStoredUrls;
use crate::proxy::observe::process_figures::{ProcessFigures, ProcessProbe};
use crate::proxy::observe::request_id::RequestIds;
use crate::proxy::observe::tops::Tops;
use crate::proxy::origin::Origins;
use crate::proxy::origin::groups::Groups;
use crate::proxy::origin::pool::Pool;
use crate::proxy::origin::resolver::NameService;
use crate::proxy::routing::interface_cache::InterfaceCache;
use crate::proxy::routing::origin_key::OriginKey;
use crate::proxy::routing::route::Route;
use crate::proxy::settings::Settings;
use crate::proxy::settings::auth::AuthRules;
use crate::proxy::settings::limits::Limits;
use crate::proxy::transfer::body::{Body, State};
use crate::proxy::transfer::buffer_pool::BufferPool;
use crate::proxy::transfer::coded_responses::CodedResponses;
use crate::proxy::transfer::connection_memory::ConnectionMemory;
use crate::proxy::transfer::pending_response::{OriginSide, PendingResponse};
use crate::proxy::transfer::readers::ReaderKey;
use crate::reactor::{Arena, FailedAddresses, Id, Reactor, Token, Wake};
use crate::time::Now;

use super::admission::Admission;
use super::environment::{Environment, PasswordVerifier, Reclaimer};
use super::error::ExchangeError;
use super::geography::Geography;
use super::hook::{Finished, Hook};
use super::identity::Identity;
use super::mail::Mail;
use super::remembered::Remembered;
use super::throttling::Throttling;

/// Size of a buffer for received messages, in bytes.
const RECEIVED: usize = 16 * 1024;
/// Most lines for the operator that wait to be taken.
const MAX_NOTICES: usize = 1000;
/// Size of a buffer for data in a tunnel, in bytes.
const TUNNELLED: usize = 64 * 1024;

/// Passive objects that all exchanges share, and the settings.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) settings: Arc<Settings>,
    /// Number of reloads, which identifies the current settings.
    pub(super) reloads: u64,
    /// Certificates of this server.
    pub(super) identity: Identity,
    /// Places of clients.
    pub(super) geography: Geography,
    /// Events that the operator is told.
    pub(super) notices: Vec<String>,
    /// Listeners for clients.
    pub(super) listeners: Vec<ListenerInfo>,
    /// Port of the first listener for TLS, to which plain requests are redirected.
    pub(super) tls_port: Option<u16>,
    pub(super) heads: HeadLimits,
    pub(super) cache: Cache<Id<PendingResponse>>,
    pub(super) responses: Arena<PendingResponse>,
    pub(super) uploads: Arena<Body>,
    /// Reasons for which responses were not stored, by their URL.
    pub(super) not_stored: NotStoredUrls,
    /// Responses in flight that are coded by this proxy.
    pub(super) coded: CodedResponses,
    pub(super) admission: Admission,
    /// Limits of clients by time, and bans.
    pub(super) throttling: Throttling,
    pub(super) memory: ConnectionMemory,
    pub(super) origins: Origins,
    /// Origins whose last response was in HTTP/1.0 (RFC 9112 §6.1).
    pub(super) old_origins: Remembered<OriginKey>,
    /// Authentication of the services and sites that have users.
    pub(super) authentications: BTreeMap<AuthScope, Authentication>,
    secrets: Secrets,
    pub(super) verifier: Box<dyn PasswordVerifier>,
    /// Jobs that open and read files.
    pub(super) jobs: Jobs,
    reclaimer: Box<dyn Reclaimer>,
    /// Replaced rules that exchanges may still hold.
    retired: VecDeque<Arc<RuleSet>>,
    pub(super) log: AccessLog,
    pub(super) counters: Counters,
    /// Lines of the latest exchanges, for operators who read them.
    pub(super) journal: Journal,
    /// What is asked for most.
    pub(super) tops: Tops,
    pub(super) request_ids: RequestIds,
    /// Source of the figures of the process.
    pub(super) process: Option<Box<dyn ProcessProbe>>,
    /// Source of the figures of disks.
    pub(super) disks: Option<Box<dyn DiskProbe>>,
    /// Hook of the embedder on each request.
    pub(super) hook: Option<Box<dyn Hook>>,
    /// The command that explains denials, if this proxy answers it.
    pub(super) explain: Option<String>,
    pub(super) buffers: BufferPool,
    pub(super) tunnel_buffers: BufferPool,
    pub(super) draining: bool,
    /// Time until which a drain waits for requests on connections that are idle, if it does: clients that do
    /// not know of the drain may be sending some.
    pub(super) idle_until: Option<Instant>,
}

impl Shared {
    /// Creates the state. `client_capacity` is the number of clients, and of connections to
    /// origins, that the machine can serve. `upkeep` is woken for groups of origins.
    pub(super) fn new(
        settings: Settings,
        surroundings: Environment,
        client_capacity: usize,
        upkeep: Token,
    ) -> Self {
        let limits = &settings.limits;
        let mut secrets = Secrets::new(surroundings.secret);
        let keys = KeyBuilder::new(surroundings.secret);
        let mut cache = Cache::new(cache_limits(&settings), keys);
        cache.set_key_rules(settings.key_rules.clone(), settings.special_key_rules());
        cache.set_request_rules(settings.request_rules);
        Self {
            heads: limits.of_heads(),
            cache,
            responses: Arena::new(),
            uploads: Arena::new(),
            not_stored: NotStoredUrls::default(),
            coded: CodedResponses::default(),
            admission: Admission::new(places(limits, client_capacity), limits.client_share),
            throttling: Throttling::new(&settings),
            memory: ConnectionMemory::new(limits.connection_memory.whole()),
            origins: Origins {
                pool: Pool::new(pool_bound(limits, client_capacity)),
                groups: Groups::new(surroundings.secret, upkeep),
                names: NameService::new(surroundings.resolver, &settings, surroundings.secret),
                failed: FailedAddresses::new(limits.failed_addresses, limits.failed_address_ttl),
                interfaces: InterfaceCache::new(surroundings.addresses),
            },
            old_origins: Remembered::new(limits.old_origins),
            authentications: authentications(&settings, &mut secrets),
            secrets,
            verifier: surroundings.verifier,
            jobs: Jobs::new(surroundings.jobs),
            reclaimer: surroundings.reclaimer,
            retired: VecDeque::new(),
            log: AccessLog::new(surroundings.log),
            counters: Counters::default(),
            journal: Journal::default(),
            tops: Tops::default(),
            request_ids: RequestIds::new(surroundings.secret),
            process: None,
            disks: None,
            hook: None,
            explain: None,
            buffers: BufferPool::of(RECEIVED),
            tunnel_buffers: BufferPool::of(TUNNELLED),
            draining: false,
            idle_until: None,
            identity: Identity::new(settings.server_tls.clone()),
            geography: Geography::new(Arc::clone(&settings.geo)),
            notices: Vec::new(),
            settings: Arc::new(settings),
            reloads: 0,
            tls_port: None,
            listeners: Vec::new(),
        }
    }

    /// Applies new settings. The time does not depend on the number of users or rules: the replaced
    /// ones are freed by the reclaimer.
    pub(super) fn reload(
        &mut self,
        settings: Arc<Settings>,
        client_capacity: usize,
        reactor: &mut Reactor<Mail>,
    ) {
        self.origins.pool.clear(reactor); // its connections were allowed by the old rules
        self.heads = settings.limits.of_heads();
        if settings.spaces().is_disjoint(&self.settings.spaces()) {
            self.cache.clear(); // responses of other origins, which answer nothing any more
        }
        self.cache.set_limits(cache_limits(&settings));
        self.cache.set_key_rules(settings.key_rules.clone(), settings.special_key_rules());
        self.cache.set_request_rules(settings.request_rules);
        self.origins.names.reload(&settings, reactor);
        let limits = &settings.limits;
        self.origins.failed.set_limits(limits.failed_addresses, limits.failed_address_ttl);
        self.old_origins.set_bound(limits.old_origins);
        self.origins.pool.set_bound(pool_bound(limits, client_capacity));
        self.admission.set_bounds(places(limits, client_capacity), limits.client_share);
        self.memory.set_bound(limits.connection_memory.whole());
        self.throttling.configure(&settings);
        self.reload_authentication(&settings, reactor);
        self.identity.configure(settings.server_tls.clone());
        self.locate_by(Arc::clone(&settings.geo));
        self.reloads += 1;
        let replaced = std::mem::replace(&mut self.settings, settings);
        self.retired.push_back(Arc::clone(&replaced.destinations.egress));
        self.reclaimer.reclaim(Box::new(replaced));
        self.configure_groups(reactor);
    }

    /// Applies the settings of groups of origins.
    pub(super) fn configure_groups(&mut self, reactor: &mut Reactor<Mail>) {
        let (tls, now) = (self.settings.origin_tls.as_ref(), reactor.now().mono);
        self.origins.groups.configure(&self.settings.groups(), tls, now, reactor);
    }

    /// Looks places up in other databases from now on.
    pub(super) fn locate_by(&mut self, databases: Arc<GeoDatabases>) {
        let replaced = self.geography.replace(databases);
        self.reclaimer.reclaim(Box::new(replaced));
    }

    /// Looks up the place of the client of an exchange, if rules for it name places.
    pub(super) fn locate(&mut self, record: &mut ExchangeRecord) {
        let is_reverse = self.settings.service(record.listener.service()).is_reverse();
        if is_reverse || self.settings.destinations.egress.geo_kinds().is_empty() {
            return;
        }
        let (located, told) = self.geography.locate(record.client.ip());
        record.located = Some(located);
        told.into_iter().for_each(|line| self.tell(line));
    }

    /// Returns the place of a client, by the databases in use.
    pub(super) fn place(&self, address: IpAddr) -> Place {
        self.geography.place(address)
    }

    /// Has one set of replaced rules freed, if no exchange holds it any more.
    pub(super) fn free_retired(&mut self) {
        let Some(rules) = self.retired.pop_front() else { return };
        if Arc::strong_count(&rules) == 1 {
            self.reclaimer.reclaim(Box::new(rules));
        } else {
            self.retired.push_back(rules);
        }
    }

    fn reload_authentication(&mut self, settings: &Settings, reactor: &mut Reactor<Mail>) {
        let mut before = std::mem::take(&mut self.authentications);
        for (scope, rules) in rules_of(settings) {
            let authentication = match before.remove(&scope) {
                Some(mut authentication) => {
                    let replaced = authentication.reload(rules.clone(), &mut self.secrets);
                    self.reclaimer.reclaim(Box::new(replaced));
                    authentication
                }
                None => Authentication::new(rules.clone(), &mut self.secrets),
            };
            self.authentications.insert(scope, authentication);
        }
        for (_, authentication) in before {
            authentication.disable(reactor);
            self.reclaimer.reclaim(Box::new(authentication));
        }
    }

    /// Stops waiting for a verification on behalf of `client`.
    pub(super) fn leave_verification(&mut self, id: &VerifyId, client: Token) {
        self.authentications.values_mut().for_each(|one| one.leave(id, client));
    }

    /// Returns the listener at an address; one of the settings as a whole if there is none.
    pub(super) fn listener_at(&self, address: SocketAddr) -> ListenerInfo {
        let found = self.listeners.iter().find(|listener| listener.address == address);
        found.copied().unwrap_or(ListenerInfo { address, settings: ListenerSettings::default() })
    }

    /// Returns a request in the form in which the cache compares it.
    pub(super) fn present(&self, request: &Arc<RequestHead>) -> Presented {
        self.cache.keys().present(request)
    }

    /// Returns true if a response fetched from `address` for another client may be served to a client
    /// with this route. The name may have resolved for the other client to an address that this
    /// client may not reach.
    pub(super) fn may_reuse(&self, route: &Route, address: Option<IpAddr>) -> bool {
        let (settings, interfaces) = (&self.settings, &self.origins.interfaces);
        let (Some(origin), Some(address)) = (route.origin(), address) else { return true };
        origin.check_address(address, settings, interfaces).is_ok()
    }

    /// Removes stored responses that were followed by stray bytes of their origin: each may be the
    /// response to another request, or incomplete.
    pub(super) fn forget_doubtful(&mut self) {
        for key in self.origins.pool.take_doubtful() {
            self.cache.forget(&key);
        }
    }

    /// Drops what may take long to drop.
    pub(super) fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        self.reclaimer.reclaim(garbage);
    }

    /// Tells the operator a line, unless too many wait already.
    pub(super) fn tell(&mut self, line: String) {
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(line);
        }
    }

    /// Logs and counts a finished exchange, with its offences, and shows it to the hook.
    pub(super) fn record(&mut self, record: &ExchangeRecord, now: Now) {
        self.counters.count(record, now);
        self.tops.count(record, now);
        self.journal.record(record, now);
        self.throttling.bans.note(record, &mut self.counters.client_bans, now);
        self.log.record(record, self.settings.log.as_ref(), now);
        if let Some(hook) = &mut self.hook {
            hook.on_finish(&Finished::new(record, now));
        }
    }

    /// Returns the present figures of the process, if they are known.
    pub(super) fn process_figures(&self) -> Option<ProcessFigures> {
        self.process.as_ref()?.read()
    }

    /// Detaches a reader from a response in flight.
    pub(super) fn leave_response(
        &mut self,
        id: Id<PendingResponse>,
        reader: ReaderKey,
        reactor: &mut Reactor<Mail>,
    ) {
        if let Some(response) = self.responses.get_mut(id) {
            response.body.detach(reader, reactor);
        }
        self.account(id);
        self.release_response(id, reactor);
    }

    /// Drops a response in flight once its fetch has ended and it has no reader. A switched
    /// connection that no client has taken over is closed.
    pub(super) fn release_response(
        &mut self,
        id: Id<PendingResponse>,
        reactor: &mut Reactor<Mail>,
    ) {
        if self.responses.get(id).is_some_and(|response| response.body.is_over())
            && let Some(mut response) = self.responses.remove(id)
        {
            self.cache.account_in_flight(response.accounted, 0);
            self.memory.count(&mut response.passing, 0);
            if let Some(OriginSide { connection, place, .. }) = response.switched {
                reactor.close(connection.io);
                self.origins.groups.leave_place(place.as_ref(), reactor);
            }
        }
    }

    /// Charges the memory of a response in flight to the cache and to connections. Returns false if
    /// the cache cannot hold more of it.
    pub(super) fn account(&mut self, id: Id<PendingResponse>) -> bool {
        let Some(response) = self.responses.get_mut(id) else { return true };
        let (kept, passing) = response.holds();
        self.memory.count(&mut response.passing, passing);
        let before = std::mem::replace(&mut response.accounted, kept);
        self.cache.account_in_flight(before, kept)
    }

    /// Detaches a fetch from the content of its request.
    pub(super) fn leave_upload(&mut self, id: Id<Body>, reader: ReaderKey, wake: &mut impl Wake) {
        if let Some(body) = self.uploads.get_mut(id) {
            body.detach(reader, wake);
        }
        self.release_upload(id);
    }

    /// Ends the content of a request that its client does not complete.
    pub(super) fn end_upload(&mut self, id: Id<Body>, error: &ExchangeError, wake: &mut impl Wake) {
        if let Some(body) = self.uploads.get_mut(id) {
            body.finish(State::Failed(error.clone()), wake);
        }
        self.release_upload(id);
    }

    /// Drops the content of a request once its client has ended it and no fetch reads it.
    pub(super) fn release_upload(&mut self, id: Id<Body>) {
        if self.uploads.get(id).is_some_and(Body::is_over) {
            self.uploads.remove(id);
        }
    }
}

/// Returns the authentication of each service and site that has users.
fn authentications(
    settings: &Settings,
    secrets: &mut Secrets,
) -> BTreeMap<AuthScope, Authentication> {
    let all = rules_of(settings);
    all.map(|(scope, rules)| (scope, Authentication::new(rules.clone(), secrets))).collect()
}

/// Returns the authentication rules of each service, and of each site that has users of its own.
fn rules_of(settings: &Settings) -> impl Iterator<Item = (AuthScope, &AuthRules)> {
    settings.all_services().flat_map(|(service, of)| {
        of.all_auth().map(move |(site, rules)| (AuthScope { service, site }, rules))
    })
}

/// Returns the bound on clients.
fn places(limits: &Limits, client_capacity: usize) -> usize {
    limits.max_clients.unwrap_or(client_capacity)
}

/// Returns the bound on idle connections to origins.
fn pool_bound(limits: &Limits, client_capacity: usize) -> usize {
    limits.pool.unwrap_or_else(|| (client_capacity / 2).min(2048))
}

fn cache_limits(settings: &Settings) -> CacheLimits {
    CacheLimits {
        memory: settings.cache_memory,
        object: settings.object_max(),
        hit_for_miss: settings.limits.hit_for_miss,
        eviction: settings.eviction,
        variants: settings.limits.variants,
    }
}
