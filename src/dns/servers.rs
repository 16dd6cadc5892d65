//! Name servers, with the observations that determine in which order and how they are queried.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Time for which a silent server is queried after all others.
const SILENT: Duration = Duration::from_secs(30);
/// Time for which a server is remembered as lacking EDNS or not preserving case.
const LEARNED: Duration = Duration::from_secs(15 * 60);
/// Number of consecutive questions that a server answers only without EDNS before it counts as
/// lacking EDNS: a single datagram may have been lost for another reason.
const EDNS_FAILURES: u32 = 2;

/// Server, and the way to query it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub address: SocketAddr,
    /// True if queries carry an OPT record (RFC 6891).
    pub edns: bool,
    /// True if queries spell the name in random case, which the answer has to repeat
    /// (draft-vixie-dnsext-dns0x20).
    pub random_case: bool,
}

impl Server {
    /// Returns a server without any observation.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, edns: true, random_case: true }
    }
}

/// Observation of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerObservation {
    /// The server has answered.
    Answered,
    /// The server has not answered in time, or cannot be reached.
    Silent,
    /// The server has answered a query with EDNS.
    Edns,
    /// The server has answered a query without EDNS after it failed to answer the same with EDNS.
    NoEdns,
    /// The server does not preserve the case of names; see [`Lookup`](super::Lookup) on what proves
    /// that.
    NoCase,
}

/// Servers with observations.
#[derive(Debug, Default)]
pub struct Servers {
    learned: Vec<Learned>,
    /// Number of look-ups so far, for rotation.
    turns: usize,
}

#[derive(Debug)]
struct Learned {
    address: SocketAddr,
    /// End of the time for which the server counts as silent.
    silent: Option<Instant>,
    /// End of the time for which the server counts as lacking EDNS.
    no_edns: Option<Instant>,
    /// End of the time for which the server counts as not preserving case.
    no_case: Option<Instant>,
    edns_failures: u32,
}

impl Servers {
    /// Returns `servers` in the order in which to query them: recently silent ones last. With
    /// `rotate`, each call begins with another server.
    pub fn order(&mut self, servers: &[SocketAddr], rotate: bool, now: Instant) -> Vec<Server> {
        let mut order: Vec<Server> =
            servers.iter().map(|&address| self.get(address, now)).collect();
        if rotate && !order.is_empty() {
            self.turns = self.turns.wrapping_add(1);
            let first = self.turns % order.len();
            order.rotate_left(first);
        }
        order.sort_by_key(|server| {
            self.find(server.address).is_some_and(|learned| holds(learned.silent, now))
        });
        order
    }

    /// Records an observation.
    pub fn notice(&mut self, address: SocketAddr, notice: ServerObservation, now: Instant) {
        let learned = self.entry(address);
        match notice {
            ServerObservation::Answered => learned.silent = None,
            ServerObservation::Silent => learned.silent = Some(now + SILENT),
            ServerObservation::Edns => (learned.edns_failures, learned.no_edns) = (0, None),
            ServerObservation::NoEdns => {
                learned.edns_failures = learned.edns_failures.saturating_add(1);
                if learned.edns_failures >= EDNS_FAILURES {
                    learned.no_edns = Some(now + LEARNED);
                }
            }
            ServerObservation::NoCase => learned.no_case = Some(now + LEARNED),
        }
    }

    /// Drops all observations.
    pub fn forget(&mut self) {
        self.learned.clear();
    }

    fn get(&self, address: SocketAddr, now: Instant) -> Server {
        let learned = self.find(address);
        Server {
            address,
            edns: learned.is_none_or(|learned| !holds(learned.no_edns, now)),
            random_case: learned.is_none_or(|learned| !holds(learned.no_case, now)),
        }
    }

    fn find(&self, address: SocketAddr) -> Option<&Learned> {
        self.learned.iter().find(|learned| learned.address == address)
    }

    fn entry(&mut self, address: SocketAddr) -> &mut Learned {
        let at = self.learned.iter().position(|learned| learned.address == address);
        let at = at.unwrap_or_else(|| {
            let (silent, no_edns, no_case) = (None, None, None);
            self.learned.push(Learned { address, silent, no_edns, no_case, edns_failures: 0 });
            self.learned.len() - 1
        });
        &mut self.learned[at]
    }
}

fn holds(until: Option<Instant>, now: Instant) -> bool {
    until.is_some_and(|until| now < until)
}
