//! Order in which the addresses of one name are tried.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::work::{LOOK_UP, count};

use super::connector::Connector;

/// Alternates the addresses of both families, beginning with the family of the first address and
/// keeping the order within each family (RFC 8305 §4): if one family is unreachable, that costs one
/// attempt.
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

/// Addresses to which connecting failed lately. They are tried after other addresses, and forgotten
/// when they answer.
#[derive(Debug)]
pub struct FailedAddresses {
    until: HashMap<SocketAddr, Instant>,
    /// The same addresses, in the order in which they expire.
    order: BTreeSet<(Instant, SocketAddr)>,
    most: usize,
    keep: Duration,
}

impl FailedAddresses {
    /// Remembers up to `most` addresses, each for `keep`. Beyond, the address that failed first is
    /// forgotten.
    #[must_use]
    pub fn new(most: usize, keep: Duration) -> Self {
        Self { until: HashMap::new(), order: BTreeSet::new(), most, keep }
    }

    /// Replaces both limits. A lower `most` takes effect gradually, as addresses are added.
    pub const fn set_limits(&mut self, most: usize, keep: Duration) {
        (self.most, self.keep) = (most, keep);
    }

    /// Moves addresses that failed lately behind the others, and keeps the order otherwise.
    pub fn put_last(&self, addresses: &mut [SocketAddr], now: Instant) {
        if addresses.len() > 1 && !self.until.is_empty() {
            count(LOOK_UP * addresses.len());
            addresses
                .sort_by_cached_key(|address| self.until.get(address).is_some_and(|&at| now < at));
        }
    }

    /// Records the results of the connector's attempts since the last call.
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

    /// Forgets expired and surplus addresses, at most two: one more than is added, so that a table
    /// whose limit was lowered shrinks.
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
