//! A network in memory, on virtual time, with every fault a real one has, from a seed.
//!
//! ```
//! use std::time::Duration;
//! use tidegate::reactor::Reactor;
//! use tidegate::reactor::sim::{Faults, Network};
//!
//! let network = Network::new(7);
//! let server: Reactor<()> = network.reactor("192.0.2.1".parse().unwrap(), Faults::NONE);
//! let client: Reactor<()> = network.reactor("192.0.2.2".parse().unwrap(), Faults::SOME);
//! network.advance(Duration::from_secs(1)); // time passes when you say so
//! ```
//!
//! Each host of a [`Network`] is a [`Reactor`](crate::reactor::Reactor) of its own; one thread turns them
//! with a timeout of zero until nothing happens, then lets time pass up to the next deadline or
//! delivery. A turn that may wait lets it pass by itself, which is all that one host alone needs.

mod datagram_queue;
mod datagrams;
mod fate;
mod metered;
mod network;
mod rng;
mod stream_socket;
mod streams;
mod transport;
mod world;

use std::ops::Range;
use std::time::Duration;

pub use fate::Fate;
pub use metered::Metered;
pub use network::Network;
pub use rng::Rng;
pub use transport::SimTransport;

/// What goes wrong on a host; each part is allowed by the contract of sockets.
#[derive(Clone, Debug)]
pub struct Faults {
    /// How often of a hundred a read or write moves less than it could.
    pub short: u32,
    /// How often of a hundred an operation would block though it was reported ready.
    pub would_block: u32,
    /// How often of a hundred a poll reports a socket ready that is not.
    pub spurious: u32,
    /// Whether those to be driven are driven in any order.
    pub shuffle: bool,
    /// How long what this host sends is under way.
    pub latency: Range<Duration>,
    /// How often of a hundred a datagram that this host sends is lost.
    pub lost: u32,
    /// How often of a hundred one arrives twice.
    pub doubled: u32,
    /// How many bytes a connection holds between the two programs.
    pub window: Range<usize>,
    /// How many sockets there can be; `EMFILE` beyond.
    pub sockets: usize,
}

impl Faults {
    /// A perfect network: nothing is lost, late or short.
    pub const NONE: Self = Self {
        short: 0,
        would_block: 0,
        spurious: 0,
        shuffle: false,
        latency: Duration::ZERO..Duration::ZERO,
        lost: 0,
        doubled: 0,
        window: 64 * 1024..64 * 1024 + 1,
        sockets: usize::MAX,
    };

    /// A bad day: everything is short, late, spurious and out of order now and then.
    pub const SOME: Self = Self {
        short: 20,
        would_block: 10,
        spurious: 5,
        shuffle: true,
        latency: Duration::from_micros(10)..Duration::from_millis(5),
        lost: 10,
        doubled: 5,
        window: 200..40_000,
        sockets: usize::MAX,
    };
}

/// Runs `simulation` with each seed of `seeds`; one that panics prints how to replay it. With
/// `TIDEGATE_SEED=n` in the environment only that one is run.
///
/// # Panics
/// As `simulation` does, or if `TIDEGATE_SEED` is no number.
pub fn explore(seeds: Range<u64>, mut simulation: impl FnMut(u64)) {
    let only = std::env::var("TIDEGATE_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("TIDEGATE_SEED is a number"));
    for seed in only.map_or(seeds, |seed| seed..seed + 1) {
        let replay = Replay(seed);
        simulation(seed);
        std::mem::forget(replay);
    }
}

/// Prints the seed when it is dropped, which only a panic lets happen.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        eprintln!("the simulation failed; replay it with TIDEGATE_SEED={}", self.0);
    }
}
