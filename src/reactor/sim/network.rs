//! The handle on a simulated network that tests hold.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::reactor::clock::VirtualClock;

use super::Rng;
use super::fate::Fate;
use super::world::World;

/// A simulated network. Clones are the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<World>>);

impl Network {
    /// A network whose faults follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World::new(seed))))
    }

    /// The clock of all hosts.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.world().clock.clone()
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.clock().advance(time);
    }

    /// When the next thing under way arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.world().next_arrival()
    }

    /// Sends a datagram that claims to be `from` somebody, as an attacker would who is not on the
    /// way; it arrives after `late`.
    pub fn forge(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8], late: Duration) {
        self.world().forge(from, to, bytes, late);
    }

    /// Decides how connects to `address` end from now on, and what becomes of datagrams.
    pub fn set_fate(&self, address: SocketAddr, fate: Fate) {
        self.world().fates.insert(address, fate);
    }

    /// How many connections the hosts at `address` have begun, however those ended.
    #[must_use]
    pub fn connects(&self, address: IpAddr) -> u64 {
        let world = self.world();
        world.hosts.iter().filter(|host| host.address == address).map(|host| host.connects).sum()
    }

    /// A generator of its own for the test, which follows from the seed too.
    #[must_use]
    pub fn fork_rng(&self) -> Rng {
        Rng::new(self.world().rng.next())
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
