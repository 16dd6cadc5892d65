//! A simulated network in memory, on virtual time, with the faults of real networks, reproducible
//! from a seed.
//!
//! Each host of a [`Network`] is a [`Reactor`](crate::reactor::Reactor). One thread turns all
//! hosts, without waiting, until none has anything to do; then it advances the time to the next
//! deadline or arrival:
//!
//! ```
//! use std::time::Duration;
//! use tidegate::reactor::sim::{Faults, Network};
//! use tidegate::reactor::{App, Event, Reactor};
//!
//! struct Idle;
//!
//! impl App for Idle {
//!     type Mail = ();
//!
//!     fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
//! }
//!
//! let network = Network::new(7);
//! let mut server: Reactor<()> = network.reactor("192.0.2.1".parse().unwrap(), Faults::NONE);
//! let mut client: Reactor<()> = network.reactor("192.0.2.2".parse().unwrap(), Faults::SOME);
//! let (mut a, mut b, now) = (Idle, Idle, Some(Duration::ZERO));
//! loop {
//!     loop {
//!         let turns = [server.turn(&mut a, now).unwrap(), client.turn(&mut b, now).unwrap()];
//!         if turns.iter().all(|turn| turn.is_idle()) {
//!             break;
//!         }
//!     }
//!     let next = [server.next_deadline(), client.next_deadline(), network.next_arrival()];
//!     let Some(next) = next.into_iter().flatten().min() else { break };
//!     network.clock().advance_to(next);
//! }
//! ```
//!
//! A single host needs less: a turn that may wait advances the time itself.

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

/// Faults of a host. Every fault is one that the contract of sockets allows.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Percentage of reads and writes that move less than they could.
    pub short: u32,
    /// Percentage of operations that would block although the socket was reported ready.
    pub would_block: u32,
    /// Percentage of sockets that a poll reports ready although they are not.
    pub spurious: u32,
    /// True to drive the objects of a turn in random order.
    pub shuffle: bool,
    /// Range of the latency of everything that the host sends.
    pub latency: Range<Duration>,
    /// Percentage of datagrams sent by the host that are lost.
    pub lost: u32,
    /// Percentage of datagrams sent by the host that arrive twice.
    pub doubled: u32,
    /// Range of the capacity of a connection, in bytes, between the two programs.
    pub window: Range<usize>,
    /// Limit of open sockets; opening more fails with `EMFILE`.
    pub sockets: usize,
}

impl Faults {
    /// No faults: nothing is lost, late or short.
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

    /// Moderate faults of every kind: short, late, lost, spurious and reordered.
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

/// Runs `simulation` with each seed of `seeds`, or with the seed in the environment variable
/// `TIDEGATE_SEED` alone. If a run panics, prints the seed for a replay.
///
/// # Panics
/// As `simulation` does, or if `TIDEGATE_SEED` is not a number.
pub fn explore(seeds: Range<u64>, mut simulation: impl FnMut(u64)) {
    let only = std::env::var("TIDEGATE_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("TIDEGATE_SEED is a number"));
    for seed in only.map_or(seeds, |seed| seed..seed + 1) {
        let replay = Replay(seed);
        simulation(seed);
        std::mem::forget(replay);
    }
}

/// Prints the seed when it is dropped, which happens only in a panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        eprintln!("the simulation failed; replay it with TIDEGATE_SEED={}", self.0);
    }
}
