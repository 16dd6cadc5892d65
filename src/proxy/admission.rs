//! Places for clients, shared fairly where they are short.
//!
//! A client is what one user is likely to have all of: an IPv4 address, or a /64 of IPv6. No client has
//! more than its share of the places ([`Shares`]). Of the last quarter, clients that were not served
//! lately get one place each, and none of the last eighth: a flood from a few addresses keeps no newcomer
//! out, and one from many addresses no known client. Connections of trusted proxies, and of this machine
//! unless it is said otherwise, bring many users: they have no share, and count as known.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::shares::{Shares, may_take};

use super::remembered::Remembered;

/// How long a client counts as known after it was served.
const KNOWN: Duration = Duration::from_secs(10 * 60);
/// How many clients are known at most.
const MAX_KNOWN: usize = 4096;

/// Connections of clients, tunnels included, by client.
#[derive(Debug)]
pub(super) struct Admission {
    places: usize,
    share: Option<usize>,
    taken: Shares<IpAddr>,
    known: Remembered<IpAddr>,
    refused: u64,
    full: Full,
}

/// Whether the places were all taken, and whether that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    No,
    Untold,
    Told,
}

/// A client at the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    /// The address, or the network that stands for it.
    pub(super) client: IpAddr,
    /// Whether it brings the connections of many users.
    pub(super) brings_many: bool,
}

impl Admission {
    /// A number of `places`; a client gets `share` of them at most, and no more than remain free.
    pub(super) fn new(places: usize, share: Option<usize>) -> Self {
        Self {
            places,
            share,
            taken: Shares::new(),
            known: Remembered::new(MAX_KNOWN),
            refused: 0,
            full: Full::No,
        }
    }

    /// Changes the bounds for connections to come.
    pub(super) const fn set_bounds(&mut self, places: usize, share: Option<usize>) {
        (self.places, self.share) = (places, share);
    }

    /// How many places are free.
    pub(super) const fn room(&self) -> usize {
        self.places.saturating_sub(self.taken.total())
    }

    /// Returns true if a tenth of the places is free again.
    pub(super) const fn has_ample_room(&self) -> bool {
        self.taken.total() < self.places - self.places / 10
    }

    /// Returns true if the newcomer may have a place, of those that are free.
    pub(super) fn admits(&self, newcomer: Newcomer, now: Instant) -> bool {
        let Newcomer { client, brings_many } = newcomer;
        let (held, room) = (self.holds(client), self.room());
        let within = self.share.is_none_or(|share| held < share) && may_take(held, room);
        let reserved = self.places / if held == 0 { 8 } else { 4 };
        brings_many || (within && (room > reserved || self.known.contains(&client, now)))
    }

    /// Connections that the client has.
    pub(super) fn holds(&self, client: IpAddr) -> usize {
        self.taken.held(&client)
    }

    /// A connection of the client takes a place.
    pub(super) fn enter(&mut self, client: IpAddr) {
        self.taken.add(Some(client));
    }

    /// A connection of the client leaves its place.
    pub(super) fn leave(&mut self, client: IpAddr) {
        self.taken.release(Some(&client));
        if self.full == Full::Told && self.has_ample_room() {
            self.full = Full::No;
        }
    }

    /// The client was served: it is known for a while.
    pub(super) fn serve(&mut self, client: IpAddr, now: Instant) {
        self.known.insert(&client, KNOWN, now);
    }

    /// Takes note that a connection was refused for want of a place.
    pub(super) fn refuse(&mut self) {
        self.refused += 1;
        self.reach();
    }

    /// Takes note that connections wait for a place.
    pub(super) fn reach(&mut self) {
        if self.full == Full::No {
            self.full = Full::Untold;
        }
    }

    /// Connections refused for want of a place.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// A line for the operator, once each time that the places are all taken.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        (self.full == Full::Untold).then(|| {
            self.full = Full::Told;
            let open = self.taken.total();
            format!(
                "{open} of {} places for clients are taken: idle connections are closed, and each client \
                 gets a share (limits max-clients, client-share; RLIMIT_NOFILE)",
                self.places
            )
        })
    }

    /// Panics unless these clients have all the connections that are counted.
    pub(super) fn check(&self, clients: impl Iterator<Item = IpAddr>) {
        let mut expected = Shares::new();
        clients.for_each(|client| expected.add(Some(client)));
        assert_eq!(expected, self.taken, "every connection has its place");
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
    fn one_client_gets_its_share_and_a_proxy_in_front_all_places() {
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
    fn last_places_are_for_newcomers_and_for_clients_that_were_served() {
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
        assert!(!places.admits(client(9), now + KNOWN), "a client is known for a while");
    }

    #[test]
    fn notice_comes_once_until_there_is_room_again() {
        let mut places = Admission::new(10, None);
        (1..=10).for_each(|last| places.enter(client(last).client));
        places.reach();
        assert!(places.take_notice().unwrap().starts_with("10 of 10 places"));
        places.refuse();
        assert_eq!(places.take_notice(), None);
        (1..=2).for_each(|last| places.leave(client(last).client));
        places.refuse();
        assert!(places.take_notice().is_some());
        assert_eq!(places.refused(), 2);
    }
}
