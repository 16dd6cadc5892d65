//! Values that are not counted but read when metrics are asked for.

use crate::cache::CacheStats;
use crate::proxy::observe::disk_figures::DiskFigures;

/// A member of a group of origins, as metrics show it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginGauge {
    /// Group and URL.
    pub(crate) name: String,
    /// True if the member can be used.
    pub(crate) is_up: bool,
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
}

/// Bounds of gauges.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GaugeLimits {
    /// Bytes of the cache.
    pub(crate) cache: usize,
    /// Client connections and tunnels.
    pub(crate) clients: usize,
    /// Idle connections to origins.
    pub(crate) pooled: usize,
    /// Bytes of connections.
    pub(crate) memory: usize,
}

/// Current values that are not counted but read.
#[derive(Clone, Debug)]
pub(crate) struct Gauges {
    pub(crate) cache: CacheStats,
    pub(crate) clients: usize,
    pub(crate) tunnels: usize,
    pub(crate) fetching: usize,
    pub(crate) pooled: usize,
    /// Passwords being verified.
    pub(crate) passwords: usize,
    pub(crate) lost_log_lines: u64,
    /// Origin connections that delivered bytes outside any response.
    pub(crate) strays: u64,
    /// Connections refused because their client had its share of the places.
    pub(crate) refused: u64,
    /// Times at which all places for client connections were taken.
    pub(crate) filled: u64,
    /// Disks that the process writes to.
    pub(crate) disks: Vec<DiskFigures>,
    pub(crate) limits: GaugeLimits,
    /// Bytes of memory held for connections.
    pub(crate) memory: usize,
    /// Days until each certificate of this server expires, by its first name.
    pub(crate) certificates: Vec<(String, u64)>,
    /// Members of groups of origins.
    pub(crate) origins: Vec<OriginGauge>,
    /// Bans of clients in force.
    pub(crate) bans: usize,
}

impl Gauges {
    /// Returns the name and a value of each disk that has one.
    pub(super) fn of_disks(
        &self,
        value: impl Fn(&DiskFigures) -> Option<u64>,
    ) -> impl Iterator<Item = (String, u64)> {
        let named = move |disk: &DiskFigures| Some((disk.name.to_owned(), value(disk)?));
        self.disks.iter().filter_map(named)
    }

    /// Returns the name and a value of each member of a group of origins.
    pub(super) fn of_origins(
        &self,
        value: impl Fn(&OriginGauge) -> u64,
    ) -> impl Iterator<Item = (String, u64)> {
        self.origins.iter().map(move |origin| (origin.name.clone(), value(origin)))
    }
}
