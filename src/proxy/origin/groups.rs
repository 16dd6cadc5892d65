//! Groups of origins at run time: the members' addresses, and the places that requests take there.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::access::Host;
use crate::balance::{
    Ask, Change, EndpointId, Group, GroupSettings, MemberReport, Order, OriginAddress, Outcome,
    QueueFull, Seed, Selection,
};
use crate::proxy::mail::Mail;
use crate::proxy::observe::stats::gauges::OriginGauge;
use crate::proxy::routing::route::Origin;
use crate::proxy::settings::group::OriginGroup;
use crate::reactor::{Arena, Id, Reactor, Token, Wake};
use crate::tls::OriginTls;

use super::resolver::NameService;

/// All groups, by name.
#[derive(Debug)]
pub(crate) struct Groups {
    list: Arena<RunningGroup>,
    by_name: HashMap<Arc<str>, Id<RunningGroup>>,
    secret: [u64; 2],
    /// Woken when members have changed their states.
    upkeep: Token,
    /// True if the operator has given an order since the last call of `take_ordered`.
    is_ordered: bool,
}

/// A group with its members.
#[derive(Debug)]
pub(crate) struct RunningGroup {
    settings: Arc<OriginGroup>,
    balance: Group<Token>,
    members: Vec<Member>,
    origins: HashMap<EndpointId, Arc<Origin>>,
    /// Fetches that wait for the first addresses of the members.
    waiting: BTreeSet<Token>,
}

#[derive(Debug)]
struct Member {
    /// The origin; `None` if it needs TLS, for which there are no settings.
    origin: Option<Origin>,
    /// Addresses that the name had last, to recognize a list that has not changed.
    addresses: Option<Arc<[IpAddr]>>,
}

/// A place that a request has taken at an address of a member.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) group: Id<RunningGroup>,
    pub(crate) endpoint: EndpointId,
    pub(crate) origin: Arc<Origin>,
}

/// Result of looking for a place.
#[derive(Debug)]
pub(crate) enum Choice {
    Place(Place),
    /// The members' addresses are looked up; the fetch is woken.
    Unknown,
    /// All places are taken.
    Full,
    /// No member can be used.
    None,
}

/// A member whose check is due.
#[derive(Debug)]
pub(crate) struct DueCheck {
    pub(crate) place: Place,
    pub(crate) group: Arc<OriginGroup>,
}

/// A member that the operator has given an order about.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderedMember {
    pub(crate) group: Arc<str>,
    pub(crate) member: Arc<str>,
}

impl Groups {
    /// Creates an empty list. `secret` is unknown to clients. `upkeep` is woken when members have changed
    /// their states.
    pub(crate) fn new(secret: [u64; 2], upkeep: Token) -> Self {
        Self { list: Arena::new(), by_name: HashMap::new(), secret, upkeep, is_ordered: false }
    }

    /// Applies settings. A group that was there before keeps the state of its members. Fetches that
    /// wait for a place in a group that is gone are woken, to fail.
    pub(crate) fn configure(
        &mut self,
        groups: &[Arc<OriginGroup>],
        tls: Option<&Arc<OriginTls>>,
        now: Instant,
        wake: &mut impl Wake,
    ) {
        let mut before = std::mem::take(&mut self.by_name);
        for settings in groups {
            let [first, second] = self.secret;
            let id = before.remove(&settings.name).unwrap_or_else(|| {
                self.list.insert(RunningGroup::new(Arc::clone(settings), [first, second], now))
            });
            let group = self.list.get_mut(id).expect("a group with a name is in the list");
            group.configure(settings, tls, now);
            self.by_name.insert(Arc::clone(&settings.name), id);
        }
        for mut group in before.into_values().filter_map(|id| self.list.remove(id)) {
            group.balance.reconfigure(GroupSettings::default(), now);
            group.wake(wake);
            group.waiting.into_iter().for_each(|waiter| wake.wake(waiter));
        }
    }

    /// Returns the group of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Id<RunningGroup>> {
        self.by_name.get(name).copied()
    }

    /// Counts a new request for the group, by which retries are limited.
    pub(crate) fn note_request(&mut self, id: Id<RunningGroup>, now: Instant) {
        if let Some(group) = self.list.get_mut(id) {
            group.balance.note_request(now);
        }
    }

    /// Takes a place for a request of the fetch `waiter`, if there is one.
    pub(crate) fn take(
        &mut self,
        id: Id<RunningGroup>,
        ask: &Ask<'_>,
        waiter: Token,
        reactor: &mut Reactor<Mail>,
    ) -> Choice {
        let Some(group) = self.list.get_mut(id) else { return Choice::None };
        let now = reactor.now().mono;
        if let Some(endpoint) = group.balance.take_grant(&waiter) {
            return group.place(id, endpoint);
        }
        let selected = group.balance.select(ask, now);
        group.wake(reactor);
        match selected {
            Selection::Endpoint(endpoint) => {
                group.balance.begin(endpoint);
                group.place(id, endpoint)
            }
            Selection::Full => Choice::Full,
            Selection::None if group.balance.is_unknown() => {
                group.waiting.insert(waiter);
                Choice::Unknown
            }
            Selection::None => Choice::None,
        }
    }

    /// Queues the fetch `waiter` for the next place.
    ///
    /// # Errors
    /// Fails if the queue is full.
    pub(crate) fn enqueue(
        &mut self,
        id: Id<RunningGroup>,
        ask: &Ask<'_>,
        waiter: Token,
    ) -> Result<(), QueueFull> {
        self.list.get_mut(id).map_or(Err(QueueFull), |group| group.balance.enqueue(waiter, ask))
    }

    /// Stops waiting for a place or for addresses.
    pub(crate) fn leave(&mut self, id: Id<RunningGroup>, waiter: Token, wake: &mut impl Wake) {
        let Some(group) = self.list.get_mut(id) else { return };
        group.waiting.remove(&waiter);
        group.balance.leave_queue(&waiter);
        group.wake(wake);
    }

    /// Gives a place back. `outcome` is what the request tells about the member, if anything.
    pub(crate) fn release(
        &mut self,
        place: &Place,
        outcome: Option<Outcome>,
        now: Instant,
        wake: &mut impl Wake,
    ) {
        let Some(group) = self.list.get_mut(place.group) else { return };
        if matches!(outcome, Some(Outcome::Failure(_))) {
            wake.wake(self.upkeep);
        }
        group.balance.end(place.endpoint, outcome, now);
        group.wake(wake);
    }

    /// Gives a place back that was kept after the response.
    pub(crate) fn leave_place(&mut self, place: Option<&Place>, reactor: &mut Reactor<Mail>) {
        if let Some(place) = place {
            self.release(place, None, reactor.now().mono, reactor);
        }
    }

    /// Records that the member of a place has answered a request, which keeps the place.
    pub(crate) fn note_success(&mut self, place: &Place) {
        if let Some(group) = self.list.get_mut(place.group) {
            group.balance.note_success(place.endpoint);
        }
    }

    /// Returns true if a request can be sent to a member of the group besides those that were `tried`, if
    /// need be after a wait.
    pub(crate) fn has_other(
        &mut self,
        id: Id<RunningGroup>,
        tried: &[EndpointId],
        now: Instant,
    ) -> bool {
        self.list.get_mut(id).is_some_and(|group| group.balance.has_other(tried, now))
    }

    /// Returns true if a request can be sent at once to a member of the group, besides those that were
    /// `tried`.
    pub(crate) fn has_member(
        &mut self,
        id: Id<RunningGroup>,
        tried: &[EndpointId],
        now: Instant,
    ) -> bool {
        self.list.get_mut(id).is_some_and(|group| group.balance.may_select(tried, now))
    }

    /// Returns true if a member of the group can be used for a request that is `sticky` or not, or may be
    /// usable once its name is resolved.
    pub(crate) fn is_usable(
        &mut self,
        id: Id<RunningGroup>,
        sticky: Option<u64>,
        now: Instant,
    ) -> bool {
        let group = self.list.get_mut(id);
        group
            .is_some_and(|group| group.balance.is_unknown() || group.balance.is_usable(sticky, now))
    }

    /// Returns true if the budget permits another attempt at a request, and spends it then.
    pub(crate) fn may_retry(&mut self, id: Id<RunningGroup>, now: Instant) -> bool {
        self.list.get_mut(id).is_some_and(|group| group.balance.may_retry(now))
    }

    /// Returns the number by which a client stays at the member of a place.
    pub(crate) fn sticky(&self, place: &Place) -> Option<u64> {
        self.list.get(place.group)?.balance.sticky_of(place.endpoint)
    }

    /// Looks up the names of all members, and wakes the fetches that wait
    /// for them. Returns true if there are names.
    pub(crate) fn look_up(&mut self, names: &mut NameService, reactor: &mut Reactor<Mail>) -> bool {
        let mut any = false;
        for (_, group) in self.list.iter_mut() {
            any |= group.look_up(names, self.upkeep, reactor);
            group.wake(reactor);
        }
        any
    }

    /// Returns the checks that are due.
    pub(crate) fn due_checks(&mut self, now: Instant, wake: &mut impl Wake) -> Vec<DueCheck> {
        let mut due = Vec::new();
        for (id, group) in self.list.iter_mut() {
            let probes = group.balance.probes_due(now);
            group.wake(wake);
            for endpoint in probes {
                if let Choice::Place(place) = group.place(id, endpoint) {
                    due.push(DueCheck { place, group: Arc::clone(&group.settings) });
                }
            }
        }
        due
    }

    /// Records the result of a check.
    pub(crate) fn checked(
        &mut self,
        place: &Place,
        result: Result<(), Arc<str>>,
        now: Instant,
        wake: &mut impl Wake,
    ) {
        if let Some(group) = self.list.get_mut(place.group) {
            group.balance.probe_done(place.endpoint, result, now);
            group.wake(wake);
            wake.wake(self.upkeep);
        }
    }

    /// Takes the changes of members since the last call, with the names of their groups.
    pub(crate) fn take_changes(&mut self) -> Vec<(Arc<str>, Change)> {
        let mut changes = Vec::new();
        for (_, group) in self.list.iter_mut() {
            let name = &group.settings.name;
            changes.extend(
                group.balance.take_changes().into_iter().map(|change| (Arc::clone(name), change)),
            );
        }
        changes
    }

    /// Returns the time at which a check is due or a member changes its state.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.list.iter().filter_map(|(_, group)| group.balance.next_deadline()).min()
    }

    /// Returns the group with this id.
    pub(crate) fn get(&self, id: Id<RunningGroup>) -> Option<&RunningGroup> {
        self.list.get(id)
    }

    /// Returns all groups, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &RunningGroup> {
        let mut all: Vec<_> = self.list.iter().map(|(_, group)| group).collect();
        all.sort_by(|one, other| one.settings.name.cmp(&other.settings.name));
        all.into_iter()
    }

    /// Gives an order of the operator about a member, in all groups that have it or in this one only.
    /// Returns the members that have got it, by their groups.
    pub(crate) fn order(
        &mut self,
        member: &str,
        only: Option<&str>,
        order: Order,
        now: Instant,
    ) -> Vec<OrderedMember> {
        let groups = self.list.iter_mut().map(|(_, group)| group);
        let groups = groups.filter(|group| only.is_none_or(|only| *group.settings.name == *only));
        let mut ordered: Vec<OrderedMember> =
            groups.flat_map(|group| group.order(member, order, now)).collect();
        ordered.sort();
        self.is_ordered |= !ordered.is_empty();
        ordered
    }

    /// Returns true if an order was given since the last call: checks may be due, and places free.
    pub(crate) const fn take_ordered(&mut self) -> bool {
        std::mem::replace(&mut self.is_ordered, false)
    }

    /// Panics if a group is inconsistent. For simulations.
    pub(crate) fn check(&self) {
        self.list.iter().for_each(|(_, group)| group.balance.check());
    }
}

/// Returns the seed of a group. The key of sticky cookies is derived from the secret of the process, so
/// that no client can make one.
fn seed_of([first, second]: [u64; 2]) -> Seed {
    let mut sticky = *b"sticky cookies: ";
    for (byte, secret) in
        sticky.iter_mut().zip([first, second].map(u64::to_le_bytes).as_flattened())
    {
        *byte ^= secret;
    }
    Seed { draws: first.rotate_left(32) ^ second, sticky }
}

impl RunningGroup {
    fn new(settings: Arc<OriginGroup>, secret: [u64; 2], now: Instant) -> Self {
        Self {
            balance: Group::new(settings.balance.clone(), seed_of(secret), now),
            members: Vec::new(),
            origins: HashMap::new(),
            waiting: BTreeSet::new(),
            settings,
        }
    }

    /// Returns the settings.
    pub(crate) const fn settings(&self) -> &Arc<OriginGroup> {
        &self.settings
    }

    /// Returns the state of each member.
    pub(crate) fn reports(&self, now: Instant) -> impl Iterator<Item = MemberReport> {
        self.balance.members(now)
    }

    /// Returns the state of each member for metrics.
    pub(crate) fn gauges(&self, now: Instant) -> impl Iterator<Item = OriginGauge> {
        let group = &self.settings.name;
        self.reports(now).map(move |member| OriginGauge {
            name: format!("{group} {}", member.name),
            is_up: member.problem().is_none(),
            in_flight: member.in_flight,
            requests: member.requests,
            failures: member.failures,
        })
    }

    /// Returns a text for each member that says in which state it is.
    pub(crate) fn describe(&self, now: Instant) -> Vec<String> {
        let state = |member: MemberReport| {
            member.problem().unwrap_or_else(|| format!("{} is up", member.name))
        };
        self.balance.members(now).map(state).collect()
    }

    /// Returns a text that says which members cannot be used, since when and why.
    pub(crate) fn describe_down(&self, now: Instant) -> String {
        let problems = self.balance.members(now).filter_map(|member| member.problem());
        problems.collect::<Vec<_>>().join("; ")
    }

    /// Returns true if the group can serve new clients, or will be able to once names are resolved.
    pub(crate) fn takes_requests(&self, now: Instant) -> bool {
        self.reports(now).any(|member| member.takes_requests())
    }

    fn order(&mut self, member: &str, order: Order, now: Instant) -> Vec<OrderedMember> {
        let members = self.settings.members.iter().enumerate();
        let ordered = members.filter(|(_, url)| url.is_written(member)).map(|(at, url)| {
            self.balance.order(at, order, now);
            OrderedMember { group: Arc::clone(&self.settings.name), member: Arc::clone(url.text()) }
        });
        ordered.collect()
    }

    fn configure(
        &mut self,
        settings: &Arc<OriginGroup>,
        tls: Option<&Arc<OriginTls>>,
        now: Instant,
    ) {
        self.balance.reconfigure(settings.balance.clone(), now);
        self.settings = Arc::clone(settings);
        self.origins.clear();
        self.members.clear();
        for (at, url) in settings.members.iter().enumerate() {
            let proxy_protocol = settings.proxy_protocol;
            let origin = Origin::of(url, tls).map(|origin| Origin { proxy_protocol, ..origin });
            match &origin {
                Err(why) => {
                    self.balance.set_addresses(at, &[], now);
                    self.balance.set_unresolved(at, why.as_str().into(), now);
                }
                Ok(origin) => {
                    let known = origin.known_address();
                    known.into_iter().for_each(|it| self.balance.set_addresses(at, &[it], now));
                }
            }
            self.members.push(Member { origin: origin.ok(), addresses: None });
        }
    }

    /// Returns the place at an endpoint.
    fn place(&mut self, group: Id<Self>, endpoint: EndpointId) -> Choice {
        let Some(view) = self.balance.endpoint(endpoint) else { return Choice::None };
        let member = self.members.get(view.member).and_then(|member| member.origin.as_ref());
        let Some(member) = member else { return Choice::None };
        let origin = self.origins.entry(endpoint);
        let origin = origin.or_insert_with(|| Arc::new(member.at(view.address.clone())));
        Choice::Place(Place { group, endpoint, origin: Arc::clone(origin) })
    }

    fn look_up(
        &mut self,
        names: &mut NameService,
        upkeep: Token,
        reactor: &mut Reactor<Mail>,
    ) -> bool {
        let (now, mut any) = (reactor.now().mono, false);
        for (at, member) in self.members.iter_mut().enumerate() {
            let Some(origin) = &member.origin else { continue };
            let (Host::Name(name), None) = (&origin.host, &origin.address) else { continue };
            any = true;
            let Poll::Ready(found) = names.look_up(name, upkeep, None, reactor) else { continue };
            match found {
                Ok(found) if found.list.is_empty() => {
                    self.balance.set_unresolved(at, "the name has no address".into(), now);
                }
                // A part of the addresses, until the rest has arrived, does not end the others.
                Ok(found) if !found.complete && member.addresses.is_some() => {}
                Ok(found) => {
                    let known = member.addresses.as_ref();
                    if known.is_none_or(|known| !Arc::ptr_eq(known, &found.list)) {
                        let port = origin.port;
                        let addresses: Vec<_> = found
                            .list
                            .iter()
                            .map(|&ip| OriginAddress::Tcp(SocketAddr::new(ip, port)))
                            .collect();
                        self.balance.set_addresses(at, &addresses, now);
                        member.addresses = Some(found.list);
                    }
                }
                Err(error) => self.balance.set_unresolved(at, error.to_string().into(), now),
            }
        }
        any
    }

    /// Wakes the fetches that were granted a place, and those that wait for addresses if there are any.
    fn wake(&mut self, wake: &mut impl Wake) {
        self.balance.take_woken().into_iter().for_each(|waiter| wake.wake(waiter));
        if !self.waiting.is_empty() && !self.balance.is_unknown() {
            std::mem::take(&mut self.waiting).into_iter().for_each(|waiter| wake.wake(waiter));
        }
        // Endpoints that are gone have no requests any more.
        if self.origins.len() > 2 * self.settings.members.len().max(64) {
            self.origins.retain(|endpoint, _| self.balance.endpoint(*endpoint).is_some());
        }
    }
}
