//! Timers of client connections and fetches: a table with one deadline per kind, so that no wait
//! cancels or extends another.

use std::marker::PhantomData;
use std::time::Instant;

/// The kinds of timers of one table.
pub(super) trait TimerKind<const N: usize>: Copy {
    /// All kinds, in the order in which expired timers are taken.
    const ALL: [Self; N];

    /// Returns the position of this kind in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

/// Timers of a client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientTimer {
    /// Wait for the client to close the connection, after the last response.
    Linger,
    /// Wait for the client to receive some of its response.
    Send,
    /// Wait for the client to send a request, or the rest of its head.
    Request,
    /// Wait for the client to send more content of its request.
    Upload,
    /// Wait for a password to be verified, or delay of a rejection.
    Auth,
    /// Wait for the joined fetch of another client to publish a head.
    Join,
    /// Hold of a response to a banned client, or wait for bytes within the limits of a client.
    Throttle,
}

/// Timers of a fetch. A dial has deadlines of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchTimer {
    /// Wait for the origin to receive some of the request.
    Sending,
    /// Wait for the first or the next bytes of the origin's response.
    Response,
    /// Wait for the slowest of several readers to catch up.
    Slowest,
    /// Wait for the end of a response that no client reads any more.
    Unread,
    /// Wait for the addresses of the members of a group.
    Addresses,
    /// Wait for a place at a member of a group.
    Place,
}

impl TimerKind<7> for ClientTimer {
    const ALL: [Self; 7] = [
        Self::Linger,
        Self::Send,
        Self::Request,
        Self::Upload,
        Self::Auth,
        Self::Join,
        Self::Throttle,
    ];

    fn index(self) -> usize {
        self as usize
    }
}

impl TimerKind<6> for FetchTimer {
    const ALL: [Self; 6] =
        [Self::Sending, Self::Response, Self::Slowest, Self::Unread, Self::Addresses, Self::Place];

    fn index(self) -> usize {
        self as usize
    }
}

/// The timers of a client connection.
pub(super) type ClientTimers = Timers<ClientTimer, 7>;

/// The timers of a fetch.
pub(super) type FetchTimers = Timers<FetchTimer, 6>;

/// At most one deadline per kind. A timer runs from [`set`](Self::set) or [`start`](Self::start)
/// until it is stopped or taken.
#[derive(Debug)]
pub(super) struct Timers<K, const N: usize> {
    deadlines: [Option<Instant>; N],
    kinds: PhantomData<K>,
}

impl<K, const N: usize> Default for Timers<K, N> {
    fn default() -> Self {
        Self { deadlines: [None; N], kinds: PhantomData }
    }
}

impl<K: TimerKind<N>, const N: usize> Timers<K, N> {
    /// Sets a timer to `at`, whether or not it runs.
    pub(super) fn set(&mut self, kind: K, at: Instant) {
        self.deadlines[kind.index()] = Some(at);
    }

    /// Sets a timer to `at`, unless it runs already.
    pub(super) fn start(&mut self, kind: K, at: Instant) {
        self.deadlines[kind.index()].get_or_insert(at);
    }

    /// Stops a timer, whether or not it runs.
    pub(super) fn stop(&mut self, kind: K) {
        self.deadlines[kind.index()] = None;
    }

    /// Returns the deadline of a timer that runs.
    pub(super) fn get(&self, kind: K) -> Option<Instant> {
        self.deadlines[kind.index()]
    }

    /// Stops a timer that has expired, and returns true. One that expires later keeps running.
    pub(super) fn expires(&mut self, kind: K, now: Instant) -> bool {
        self.deadlines[kind.index()].take_if(|at| *at <= now).is_some()
    }

    /// Stops the first timer that has expired, in the order of the kinds, and returns its kind.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<K> {
        K::ALL.into_iter().find(|&kind| self.expires(kind, now))
    }

    /// Returns the earliest deadline of the timers that run.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::reactor::{Clock, VirtualClock};

    use super::*;

    /// Returns a time, and times in seconds after it.
    fn clock() -> impl Fn(u64) -> Instant {
        let start = VirtualClock::default().now().mono;
        move |seconds| start + Duration::from_secs(seconds)
    }

    #[test]
    fn kinds_are_listed_by_index() {
        let clients = ClientTimer::ALL.map(TimerKind::index);
        let fetches = FetchTimer::ALL.map(TimerKind::index);
        assert_eq!((clients, fetches), ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn start_keeps_and_set_replaces_a_deadline() {
        let (at, mut timers) = (clock(), FetchTimers::default());
        assert_eq!(timers.next(), None);
        timers.start(FetchTimer::Sending, at(2));
        timers.start(FetchTimer::Sending, at(1));
        assert_eq!(timers.get(FetchTimer::Sending), Some(at(2)));
        timers.set(FetchTimer::Sending, at(3));
        assert_eq!(timers.get(FetchTimer::Sending), Some(at(3)));
        timers.stop(FetchTimer::Sending);
        assert_eq!((timers.get(FetchTimer::Sending), timers.next()), (None, None));
    }

    #[test]
    fn next_is_the_earliest_deadline() {
        let (at, mut timers) = (clock(), ClientTimers::default());
        timers.set(ClientTimer::Linger, at(3));
        timers.set(ClientTimer::Join, at(2));
        assert_eq!(timers.next(), Some(at(2)));
        timers.stop(ClientTimer::Join);
        assert_eq!(timers.next(), Some(at(3)));
    }

    #[test]
    fn expired_timers_are_taken_once_in_the_order_of_their_kinds() {
        let (at, mut timers) = (clock(), ClientTimers::default());
        timers.set(ClientTimer::Join, at(1));
        timers.set(ClientTimer::Send, at(2));
        timers.set(ClientTimer::Upload, at(3));
        assert_eq!(timers.take_expired(at(0)), None);
        assert_eq!(timers.take_expired(at(2)), Some(ClientTimer::Send));
        assert_eq!(timers.take_expired(at(2)), Some(ClientTimer::Join));
        assert_eq!(timers.take_expired(at(2)), None);
        assert_eq!(timers.next(), Some(at(3)), "a timer expires at its deadline, not before");
    }

    #[test]
    fn expires_takes_only_the_timer_of_its_kind() {
        let (at, mut timers) = (clock(), FetchTimers::default());
        timers.set(FetchTimer::Slowest, at(1));
        timers.set(FetchTimer::Unread, at(1));
        assert!(!timers.expires(FetchTimer::Slowest, at(0)), "its deadline is not reached");
        assert!(!timers.expires(FetchTimer::Sending, at(1)), "it does not run");
        assert!(timers.expires(FetchTimer::Slowest, at(1)));
        assert!(!timers.expires(FetchTimer::Slowest, at(1)), "it was taken");
        assert_eq!(timers.get(FetchTimer::Unread), Some(at(1)));
    }
}
