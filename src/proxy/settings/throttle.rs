//! Limits of clients by time, and bans.

use crate::access::Cidr;
use crate::throttle::{BanRule, BandwidthLimit, NftSets, RateLimit};

/// Limits of clients by time: those of the process, of a listener or of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Requests by time. A request beyond one of the limits is refused.
    pub rates: Vec<RateLimit>,
    /// Content by time. Clients get no more than all of the limits allow.
    pub bandwidth: Vec<BandwidthLimit>,
}

/// Bans of clients after offences.
#[derive(Clone, Debug, Default)]
pub struct BanSettings {
    /// Rules by which bans begin.
    pub rules: Vec<BanRule>,
    /// Clients that are never banned, beside this machine and trusted proxies.
    pub allowed: Vec<Cidr>,
    /// Sets of nftables that bans with the action `drop` are written for.
    pub nft: Option<NftSets>,
}

impl ClientLimits {
    /// Returns true if there is no limit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rates.is_empty() && self.bandwidth.is_empty()
    }
}
