//! Connections to origins: name lookup, dialling, and the pool of idle connections.

pub(super) mod dial;
pub(super) mod pool;
pub(super) mod resolver;

use std::net::IpAddr;

use crate::access::RuleRef;
use crate::proxy::error::ExchangeError;
use crate::proxy::routing::route::Route;
use crate::proxy::shared::Shared;

impl Route {
    /// Checks that an address of the host may be dialled. Returns the report rule that would have
    /// denied it.
    ///
    /// # Errors
    /// Returns the denial.
    pub(super) fn check_address(
        &self,
        address: IpAddr,
        shared: &Shared,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        self.check_address_by(address, &shared.settings, &shared.interfaces)
    }

    /// Returns true if a response fetched `from` an address for another client may be served to
    /// this one. The name may have resolved for that client to an address that this client may not
    /// reach.
    pub(super) fn may_reuse_from(&self, from: Option<IpAddr>, shared: &Shared) -> bool {
        from.is_none_or(|address| self.check_address(address, shared).is_ok())
    }
}
