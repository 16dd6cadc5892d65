//! Requests and bytes of clients, counted for the process, for each listener and for each route.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proxy::observe::listener::ServiceId;
use crate::proxy::settings::Settings;
use crate::proxy::settings::sites::Site;
use crate::proxy::settings::sites::site_route::SiteRoute;
use crate::proxy::settings::throttle::ClientLimits;
use crate::throttle::{Bandwidth, BandwidthLimit, ClientUnit, Grant, RateLimit, RateLimiter};
use crate::work::{LOOK_UP, count};

use super::counted::Counted;

/// Tables of all limits. A reload keeps the tables of a place that stays, also for responses that are
/// being sent.
#[derive(Debug)]
pub(crate) struct ClientTables {
    /// Tables of each place; those of the process come first.
    places: Vec<Tables>,
    numbers: HashMap<Place, usize>,
    /// Numbers of the listeners' places, by service.
    listeners: Vec<Option<usize>>,
    /// Numbers of the routes' places, by the address in memory of the route, which the settings hold.
    routes: HashMap<usize, usize>,
    /// Clients to remember for each limit.
    bound: usize,
    has_rates: bool,
    has_bandwidth: bool,
}

/// Place that has limits, as a reload recognizes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Process,
    Listener(ServiceId),
    /// Hosts of the site, then path and conditions of the route.
    Route(String),
}

/// Tables of one place.
#[derive(Debug, Default)]
struct Tables {
    rates: Vec<RateLimiter>,
    bandwidth: Vec<Bandwidth>,
}

/// Number of a route that has limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitedRoute(usize);

/// Limits of the process and of listeners that a request is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Those that do not count users: before the client is authenticated.
    Addresses,
    /// Those that count users: after that.
    Users,
}

impl ClientTables {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut tables = Self {
            places: Vec::new(),
            numbers: HashMap::new(),
            listeners: Vec::new(),
            routes: HashMap::new(),
            bound: settings.limits.limited_clients,
            has_rates: false,
            has_bandwidth: false,
        };
        tables.configure(settings);
        tables
    }

    /// Applies new settings. A table is kept if its place has a limit at the same position, unless the
    /// number of clients to remember has changed.
    pub(super) fn configure(&mut self, settings: &Settings) {
        let keeps = std::mem::replace(&mut self.bound, settings.limits.limited_clients)
            == settings.limits.limited_clients;
        let mut former: Vec<Tables> = self.places.iter_mut().map(std::mem::take).collect();
        if !keeps {
            former.clear();
        }
        (self.has_rates, self.has_bandwidth) = (false, false);
        self.place(Place::Process, &settings.client_limits, &mut former);
        self.listeners.clear();
        for (id, service) in settings.all_services() {
            let limits = &service.limits;
            let place =
                (!limits.is_empty()).then(|| self.place(Place::Listener(id), limits, &mut former));
            self.listeners.push(place);
        }
        self.routes.clear();
        let sites = settings.all_services().filter_map(|(_, service)| service.sites.as_ref());
        for site in sites.flat_map(|sites| sites.list()) {
            let mut shared = HashMap::new();
            for route in site.routes.list() {
                let (limits, address) = (&route.policy.limits, address(route));
                if !limits.is_empty() && !self.routes.contains_key(&address) {
                    let number = shared.entry(Arc::as_ptr(limits)).or_insert_with(|| {
                        self.place(Place::Route(name(site, route)), limits, &mut former)
                    });
                    self.routes.insert(address, *number);
                }
            }
        }
    }

    /// Gives a place its tables, and returns its number.
    fn place(&mut self, place: Place, limits: &ClientLimits, former: &mut [Tables]) -> usize {
        let next = self.numbers.len();
        let number = *self.numbers.entry(place).or_insert(next);
        if number >= self.places.len() {
            self.places.resize_with(number + 1, Tables::default);
        }
        let before = former.get_mut(number).map(std::mem::take).unwrap_or_default();
        self.places[number] = before.with(limits, self.bound);
        self.has_rates |= !limits.rates.is_empty();
        self.has_bandwidth |= !limits.bandwidth.is_empty();
        number
    }

    /// Returns true if requests are limited anywhere.
    pub(crate) const fn has_rates(&self) -> bool {
        self.has_rates
    }

    /// Returns true if bytes are limited anywhere.
    pub(crate) const fn has_bandwidth(&self) -> bool {
        self.has_bandwidth
    }

    /// Returns the number of a route that has limits.
    pub(crate) fn limited(&self, route: Option<&Arc<SiteRoute>>) -> Option<LimitedRoute> {
        if self.routes.is_empty() {
            return None;
        }
        count(LOOK_UP);
        self.routes.get(&address(route?)).map(|&number| LimitedRoute(number))
    }

    /// Counts a request for the process and its listener.
    ///
    /// # Errors
    /// The time until the next request is allowed, if this one is beyond a limit. The request was then
    /// counted by the limits before that one.
    pub(crate) fn take(
        &mut self,
        listener: ServiceId,
        counting: Counting,
        client: &Counted<'_>,
        now: Instant,
    ) -> Result<(), Duration> {
        let is_counted = |by: ClientUnit| match counting {
            Counting::Addresses => by != ClientUnit::User,
            Counting::Users => by == ClientUnit::User,
        };
        for number in [Some(0), self.of_listener(listener)].into_iter().flatten() {
            self.places[number].take(is_counted, client, now)?;
        }
        Ok(())
    }

    /// Counts a request for its route.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn take_for_route(
        &mut self,
        route: LimitedRoute,
        client: &Counted<'_>,
        now: Instant,
    ) -> Result<(), Duration> {
        self.places[route.0].take(|_| true, client, now)
    }

    /// Takes up to `wanted` bytes of content for a client, within all limits. `turn` is kept for a
    /// connection that was refused: until then it is granted nothing.
    pub(crate) fn take_bytes(
        &mut self,
        (listener, route): (ServiceId, Option<LimitedRoute>),
        client: &Counted<'_>,
        wanted: u64,
        turn: &mut Option<Instant>,
        now: Instant,
    ) -> Grant {
        if let Some(wait) = turn.and_then(|turn| turn.checked_duration_since(now))
            && !wait.is_zero()
        {
            return Grant { bytes: 0, wait: Some(wait) };
        }
        let grant = self.take_in_turn((listener, route), client, wanted, turn.is_some(), now);
        *turn = grant.wait.filter(|_| grant.bytes == 0).map(|wait| now + wait);
        grant
    }

    fn take_in_turn(
        &mut self,
        (listener, route): (ServiceId, Option<LimitedRoute>),
        client: &Counted<'_>,
        wanted: u64,
        is_due: bool,
        now: Instant,
    ) -> Grant {
        let mut all = Grant { bytes: wanted, wait: None };
        let places = self.places_of(listener, route);
        for (at, number) in places.into_iter().enumerate() {
            let Some(number) = number else { continue };
            for limit in 0..self.places[number].bandwidth.len() {
                let bandwidth = &mut self.places[number].bandwidth[limit];
                let Some(key) = client.key(bandwidth.limit().by) else { continue };
                let grant = bandwidth.take(&key, all.bytes, is_due, now);
                let excess = all.bytes - grant.bytes;
                if excess > 0 {
                    self.give_back_to(&places[..at], client, excess);
                    self.places[number].give_back(limit, client, excess);
                    all = Grant { bytes: grant.bytes, wait: all.wait.max(grant.wait) };
                }
                if all.bytes == 0 {
                    return all;
                }
            }
        }
        all
    }

    /// Returns bytes that were taken and not sent.
    pub(crate) fn give_back(
        &mut self,
        (listener, route): (ServiceId, Option<LimitedRoute>),
        client: &Counted<'_>,
        bytes: u64,
    ) {
        let places = self.places_of(listener, route);
        self.give_back_to(&places, client, bytes);
    }

    fn give_back_to(&mut self, places: &[Option<usize>], client: &Counted<'_>, bytes: u64) {
        for number in places.iter().flatten() {
            let tables = &mut self.places[*number];
            tables.give_back(tables.bandwidth.len(), client, bytes);
        }
    }

    /// Returns the numbers of the places whose limits apply to a response.
    fn places_of(&self, listener: ServiceId, route: Option<LimitedRoute>) -> [Option<usize>; 3] {
        [Some(0), self.of_listener(listener), route.map(|route| route.0)]
    }

    fn of_listener(&self, listener: ServiceId) -> Option<usize> {
        self.listeners.get(listener.0).copied().flatten()
    }
}

impl Tables {
    /// Changes the limits. A table stays if there is a limit at its position.
    fn with(self, limits: &ClientLimits, bound: usize) -> Self {
        let (mut rates, mut bandwidth) = (self.rates.into_iter(), self.bandwidth.into_iter());
        let rate = |limit: &RateLimit| {
            let mut limiter = rates.next().unwrap_or_else(|| RateLimiter::new(*limit, bound));
            limiter.set_limit(*limit);
            limiter
        };
        let bytes = |limit: &BandwidthLimit| {
            let mut limiter = bandwidth.next().unwrap_or_else(|| Bandwidth::new(*limit, bound));
            limiter.set_limit(*limit);
            limiter
        };
        Self {
            rates: limits.rates.iter().map(rate).collect(),
            bandwidth: limits.bandwidth.iter().map(bytes).collect(),
        }
    }

    fn take(
        &mut self,
        is_counted: impl Fn(ClientUnit) -> bool,
        client: &Counted<'_>,
        now: Instant,
    ) -> Result<(), Duration> {
        for limiter in self.rates.iter_mut().filter(|limiter| is_counted(limiter.limit().by)) {
            let Some(key) = client.key(limiter.limit().by) else { continue };
            limiter.take(&key, now)?;
        }
        Ok(())
    }

    /// Returns bytes to the first limits, up to the one at `end`.
    fn give_back(&mut self, end: usize, client: &Counted<'_>, bytes: u64) {
        for bandwidth in &mut self.bandwidth[..end] {
            if let Some(key) = client.key(bandwidth.limit().by) {
                bandwidth.give_back(&key, bytes);
            }
        }
    }
}

/// Returns the address in memory of a route, by which the running settings know it.
fn address(route: &Arc<SiteRoute>) -> usize {
    Arc::as_ptr(route).addr()
}

/// Returns the name by which a reload recognizes a route.
fn name(site: &Site, route: &SiteRoute) -> String {
    let hosts = site.hosts.iter().map(|host| format!("{host} ")).collect::<String>();
    let field = route.field.as_ref().map(ToString::to_string);
    format!("{hosts}{} {:?} {field:?}", route.path, route.methods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::service::Service;
    use crate::reactor::{Clock, VirtualClock};

    const HERE: ServiceId = ServiceId(1);

    fn limits(rates: &[&str], bandwidth: &[&str]) -> ClientLimits {
        ClientLimits {
            rates: rates.iter().map(|text| text.parse().unwrap()).collect(),
            bandwidth: bandwidth.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn settings(process: ClientLimits, listener: ClientLimits) -> Settings {
        let mut settings = Settings::forward("gate");
        settings.client_limits = process;
        settings.services = vec![Service { limits: listener, ..Service::default() }];
        settings
    }

    fn client() -> Counted<'static> {
        Counted { address: [192, 0, 2, 1].into(), user: None, brings_many: false }
    }

    #[test]
    fn bytes_that_one_limit_refuses_cost_the_others_nothing() {
        let process = limits(&[], &["10KiB/s", "1KiB/s burst=4KiB"]);
        let settings = settings(process, limits(&[], &["1KiB/s"]));
        let (mut tables, now) = (ClientTables::new(&settings), VirtualClock::default().now().mono);
        let (mut turn, mut other) = (None, None);
        let mut take = |listener, wanted, turn: &mut Option<Instant>, now| {
            let limits = (ServiceId(listener), None);
            tables.take_bytes(limits, &client(), wanted, turn, now).bytes
        };
        assert_eq!(take(1, 100_000, &mut turn, now), 1024, "the limit of the listener");
        assert_eq!(take(1, 1, &mut turn, now), 0);
        assert_eq!(take(0, 100_000, &mut other, now), 3 * 1024, "what the burst has left");
        tables.give_back((HERE, None), &client(), 1000);
        let due = turn.unwrap();
        let mut take = |turn: &mut Option<Instant>, now| {
            tables.take_bytes((HERE, None), &client(), 5000, turn, now).bytes
        };
        assert_eq!(take(&mut turn, now), 0, "another connection may be first");
        assert_eq!(take(&mut turn, due), 1001, "what was given back, and a byte of the time");
    }

    #[test]
    fn reload_keeps_what_clients_have_used() {
        let of = |rate| settings(limits(&["9/s"], &[]), limits(&[rate], &[]));
        let (mut tables, now) = (ClientTables::new(&of("1/m")), VirtualClock::default().now().mono);
        let mut take = |settings: Option<Settings>| {
            settings.iter().for_each(|settings| tables.configure(settings));
            tables.take(HERE, Counting::Addresses, &client(), now).is_ok()
        };
        assert_eq!([take(None), take(None)], [true, false]);
        assert!(!take(Some(of("1/2m"))), "the place has a limit still");
        assert!(take(Some(settings(limits(&["9/s"], &[]), ClientLimits::default()))));
        assert!(take(Some(of("1/m"))), "the limit is a new one");
        let mut more = of("1/m");
        more.limits.limited_clients = 7;
        assert!(take(Some(more)), "the table has another size");
    }

    #[test]
    fn client_that_brings_many_is_limited_by_user_only() {
        let settings = settings(limits(&["1/m", "1/m by=user"], &[]), ClientLimits::default());
        let (mut tables, now) = (ClientTables::new(&settings), VirtualClock::default().now().mono);
        let alice: Arc<str> = "alice".into();
        let mut take = |counting, user| {
            let client = Counted { brings_many: true, user, ..client() };
            tables.take(ServiceId(0), counting, &client, now).is_ok()
        };
        assert!((0..3).all(|_| take(Counting::Addresses, None)));
        assert!((0..3).all(|_| take(Counting::Users, None)));
        assert!(take(Counting::Users, Some(&alice)) && !take(Counting::Users, Some(&alice)));
    }
}
