//! Connections to origins: name lookup, dialling, and the pool of idle connections.

pub(super) mod dial;
pub(crate) mod groups;
mod handshake;
mod introduction;
pub(super) mod pool;
pub(super) mod resolver;

use crate::proxy::routing::interface_cache::InterfaceCache;
use crate::reactor::FailedAddresses;

use groups::Groups;
use pool::Pool;
use resolver::NameService;

/// Connections to origins, and knowledge about the addresses that they lead to.
#[derive(Debug)]
pub(crate) struct Origins {
    pub(super) pool: Pool,
    /// Groups of origins that sites lead to.
    pub(super) groups: Groups,
    pub(super) names: NameService,
    /// Addresses that failed lately, which are dialled last.
    pub(super) failed: FailedAddresses,
    /// Addresses of this machine, which rules may deny.
    pub(super) interfaces: InterfaceCache,
}
