//! In which order the addresses of one name are tried.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::work::{LOOK_UP, count};

use super::connector::Connector;

/// Puts the addresses of both families in turn, beginning with that of the first, each family in its
/// order (RFC 8305 §4): where one of them leads nowhere, that costs one attempt.
pub fn interleave_families(addresses: &mut Vec<SocketAddr>) {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return };
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.drain(..).partition(|address| address.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    loop {
        let before = addresses.len();
        addresses.extend(one.next());
        addresses.extend(other.next());
        if addresses.len() == before {
            return;
        }
    }
}

/// Addresses that did not answer lately. They are tried after others; one that answers is forgotten.
#[derive(Debug)]
pub struct FailedAddresses {
    until: HashMap<SocketAddr, Instant>,
    /// The same in the order of their times.
    order: BTreeSet<(Instant, SocketAddr)>,
    most: usize,
    keep: Duration,
}

impl FailedAddresses {
    /// Remembers `most` addresses for as long as `keep`; beyond, those that failed last.
    #[must_use]
    pub fn new(most: usize, keep: Duration) -> Self {
        Self { until: HashMap::new(), order: BTreeSet::new(), most, keep }
    }

    /// Remembers other numbers of addresses from now on, for another time.
    pub const fn set_limits(&mut self, most: usize, keep: Duration) {
        (self.most, self.keep) = (most, keep);
    }

    /// Puts those that have failed behind the others; else the order stays.
    pub fn put_last(&self, addresses: &mut [SocketAddr], now: Instant) {
        if addresses.len() > 1 && !self.until.is_empty() {
            count(LOOK_UP * addresses.len());
            addresses
                .sort_by_cached_key(|address| self.until.get(address).is_some_and(|&at| now < at));
        }
    }

    /// Takes note of what has become of the connector's attempts since the last time.
    pub fn note(&mut self, connector: &mut Connector, now: Instant) {
        for (address, connected) in connector.take_results() {
            count(LOOK_UP);
            if let Some(until) = self.until.remove(&address) {
                self.order.remove(&(until, address));
            }
            if !connected && self.most > 0 {
                let until = now + self.keep;
                self.until.insert(address, until);
                self.order.insert((until, address));
            }
            self.make_room(now);
        }
    }

    /// Forgets what is over or too much: two addresses for one that comes, so that a table whose bound
    /// was lowered shrinks.
    fn make_room(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some(&(until, address)) = self.order.first() else { return };
            if now < until && self.order.len() <= self.most {
                return;
            }
            self.order.pop_first();
            self.until.remove(&address);
        }
    }
}
