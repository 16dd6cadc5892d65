//! Origins: their names resolved, their addresses dialled, their connections kept.

pub(super) mod dial;
pub(super) mod pool;
pub(super) mod resolver;

use std::net::IpAddr;

use crate::access::RuleRef;
use crate::proxy::error::ExchangeError;
use crate::proxy::routing::route::Route;
use crate::proxy::shared::Shared;

impl Route {
    /// Whether `address`, which the host has, may be dialled; if so, the rule that would have denied it
    /// if it were not only written down.
    pub(super) fn check_address(
        &self,
        address: IpAddr,
        shared: &Shared,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        self.check_address_by(address, &shared.settings, &shared.interfaces)
    }

    /// Whether what was fetched `from` an address for somebody else may be served to who asks now: a
    /// name may have led others to where this client may not go.
    pub(super) fn may_reuse_from(&self, from: Option<IpAddr>, shared: &Shared) -> bool {
        from.is_none_or(|address| self.check_address(address, shared).is_ok())
    }
}
