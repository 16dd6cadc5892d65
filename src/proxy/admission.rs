//! Admission: places for client connections, shared fairly when they are scarce.
//!
//! A client is an IPv4 address or a /64 of IPv6, since a user can easily have all addresses of a
//! /64. No client gets more than its share of the places ([`Shares`]). Once three
//! quarters of the places are taken, a client that was not served recently gets at most one; in the
//! last eighth it gets none. So a flood from a few addresses excludes no new client, and a flood
//! from many addresses excludes no known one.
//! Trusted proxies, and this machine unless `share-loopback` is set, bring many users: they have no
//! share, and count as known.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::shares::{Shares, may_take};

use super::remembered::Remembered;

/// Time for which a client counts as known after it was served.
const KNOWN: Duration = Duration::from_secs(10 * 60);
/// Most known clients.
const MAX_KNOWN: usize = 4096;

/// Places taken by connections, tunnels included, by client.
#[derive(Debug)]
pub(super) struct Admission {
    places: usize,
    share: Option<usize>,
    taken: Shares<IpAddr>,
    known: Remembered<IpAddr>,
    refused: u64,
    /// Times at which all places were taken, without ample room in between.
    filled: u64,
    full: Full,
}

/// State of the notice that all places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    No,
    /// All places were taken; the notice is due.
    Untold,
    /// The notice was given. It is not repeated before there is ample room.
    Told,
}

/// A client that connects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    /// The IPv4 address, or the /64 of an IPv6 address.
    pub(super) client: IpAddr,
    /// True if the client brings the connections of many users.
    pub(super) brings_many: bool,
}

impl Admission {
    /// Creates `places`. A client gets at most `share` of them, and no more than remain free.
    pub(super) fn new(places: usize, share: Option<usize>) -> Self {
        Self {
            places,
            share,
            taken: Shares::new(),
            known: Remembered::new(MAX_KNOWN),
            refused: 0,
            filled: 0,
            full: Full::No,
        }
    }

    /// Changes the bounds for further connections.
    pub(super) const fn set_bounds(&mut self, places: usize, share: Option<usize>) {
        (self.places, self.share) = (places, share);
    }

    /// Returns the number of free places.
    pub(super) const fn room(&self) -> usize {
        self.places.saturating_sub(self.taken.total())
    }

    /// Returns true if a tenth of the places is free.
    pub(super) const fn has_ample_room(&self) -> bool {
        self.taken.total() < self.places - self.places / 10
    }

    /// Returns true if the client may take one of the free places.
    pub(super) fn admits(&self, newcomer: Newcomer, now: Instant) -> bool {
        let Newcomer { client, brings_many } = newcomer;
        let (held, room) = (self.holds(client), self.room());
        let within = self.share.is_none_or(|share| held < share) && may_take(held, room);
        let reserved = self.places / if held == 0 { 8 } else { 4 };
        brings_many || (within && (room > reserved || self.known.contains(&client, now)))
    }

    /// Returns the number of connections of the client.
    pub(super) fn holds(&self, client: IpAddr) -> usize {
        self.taken.held(&client)
    }

    /// Takes a place for a connection of the client.
    pub(super) fn enter(&mut self, client: IpAddr) {
        self.taken.add(Some(client));
    }

    /// Frees the place of a connection of the client.
    pub(super) fn leave(&mut self, client: IpAddr) {
        self.taken.release(Some(&client));
        if self.full == Full::Told && self.has_ample_room() {
            self.full = Full::No;
        }
    }

    /// Records that the client was served: it counts as known for [`KNOWN`].
    pub(super) fn serve(&mut self, client: IpAddr, now: Instant) {
        self.known.insert(&client, KNOWN, now);
    }

    /// Counts a connection that was refused for lack of a place.
    pub(super) fn refuse(&mut self) {
        self.refused += 1;
        self.reach();
    }

    /// Records that all places are taken.
    pub(super) fn reach(&mut self) {
        if self.full == Full::No {
            self.full = Full::Untold;
            self.filled += 1;
        }
    }

    /// Returns the number of times at which all places were taken.
    pub(super) const fn filled(&self) -> u64 {
        self.filled
    }

    /// Returns the number of places.
    pub(super) const fn places(&self) -> usize {
        self.places
    }

    /// Returns the number of connections refused for lack of a place.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes the notice for the operator that all places are taken. It is due once until there is
    /// ample room again.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        (self.full == Full::Untold).then(|| {
            self.full = Full::Told;
            let open = self.taken.total();
            format!(
                "{open} of {} client connections are open: idle ones are closed, and each client is \
                 held to its share (limits max-clients, client-share; RLIMIT_NOFILE)",
                self.places
            )
        })
    }

    /// Panics unless the places taken are those of the connections of `clients`.
    pub(super) fn check(&self, clients: impl Iterator<Item = IpAddr>) {
        let mut expected = Shares::new();
        clients.for_each(|client| expected.add(Some(client)));
        assert_eq!(expected, self.taken, "each connection has a place");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    fn client(last: u8) -> Newcomer {
        Newcomer { client: [192, 0, 2, last].into(), brings_many: false }
    }

    #[test]
    fn client_gets_its_share_and_trusted_proxy_all_places() {
        let now = SystemClock.now().mono;
        let mut places = Admission::new(8, None);
        for _ in 0..4 {
            assert!(places.admits(client(1), now));
            places.enter(client(1).client);
        }
        assert!(!places.admits(client(1), now) && places.admits(client(2), now));
        assert!(places.admits(Newcomer { brings_many: true, ..client(1) }, now));
        places.leave(client(1).client);
        assert!(places.admits(client(1), now));
        places.set_bounds(8, Some(3));
        assert!(!places.admits(client(1), now));
    }

    #[test]
    fn last_places_are_kept_for_new_and_for_known_clients() {
        let now = SystemClock.now().mono;
        let mut places = Admission::new(16, None);
        places.serve(client(9).client, now);
        (1..=6).for_each(|last| places.enter(client(last).client));
        (1..=6).for_each(|last| places.enter(client(last).client));
        assert!(!places.admits(client(1), now), "of the last quarter, a client gets one place");
        assert!(places.admits(client(7), now) && places.admits(client(9), now));
        (7..=8).for_each(|last| places.enter(client(last).client));
        assert!(!places.admits(client(10), now), "the last eighth is for known clients");
        assert!(places.admits(client(9), now));
        assert!(!places.admits(client(9), now + KNOWN), "a client is known for a limited time");
    }

    #[test]
    fn notice_is_given_once_until_there_is_ample_room() {
        let mut places = Admission::new(10, None);
        (1..=10).for_each(|last| places.enter(client(last).client));
        places.reach();
        assert!(places.take_notice().unwrap().starts_with("10 of 10 client connections"));
        places.refuse();
        assert_eq!(places.take_notice(), None);
        (1..=2).for_each(|last| places.leave(client(last).client));
        places.refuse();
        assert!(places.take_notice().is_some());
        assert_eq!(places.refused(), 2);
    }
}
