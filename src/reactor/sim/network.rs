//! The handle of a simulated network that tests hold.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::reactor::clock::VirtualClock;

use super::Rng;
use super::fate::Fate;
use super::world::World;

/// A simulated network. Clones are handles of the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<World>>);

impl Network {
    /// Creates a network whose faults are determined by `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World::new(seed))))
    }

    /// Returns the clock of all hosts.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.world().clock.clone()
    }

    /// Advances the time.
    pub fn advance(&self, time: Duration) {
        self.clock().advance(time);
    }

    /// Returns the time at which the next packet arrives; `None` if no packet is in flight.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.world().next_arrival()
    }

    /// Sends a datagram with the forged source address `from`, as an off-path attacker does. The
    /// datagram arrives after `late`.
    pub fn forge(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8], late: Duration) {
        self.world().forge(from, to, bytes, late);
    }

    /// Sets the outcome of connects and datagrams to `address` from now on.
    pub fn set_fate(&self, address: SocketAddr, fate: Fate) {
        self.world().fates.insert(address, fate);
    }

    /// Sets the outcome of connects to the Unix socket at `path` from now on.
    pub fn set_local_fate(&self, path: &Path, fate: Fate) {
        let mut world = self.world();
        let address = world.place(path);
        world.fates.insert(address, fate);
    }

    /// Returns the number of connects that hosts at `address` have begun, whatever their outcome.
    #[must_use]
    pub fn connects(&self, address: IpAddr) -> u64 {
        let world = self.world();
        world.hosts.iter().filter(|host| host.address == address).map(|host| host.connects).sum()
    }

    /// Creates a generator of random numbers for the test, determined by the seed of the network.
    #[must_use]
    pub fn fork_rng(&self) -> Rng {
        Rng::new(self.world().rng.next())
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
