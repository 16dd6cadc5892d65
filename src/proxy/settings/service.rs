//! Services: what a listener serves, and to whom.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Cidr;

use super::auth::AuthRules;
use super::sites::Sites;
use super::throttle::ClientLimits;

/// What a listener serves, and to whom.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// The sites of a reverse proxy; `None` for a forward proxy.
    pub sites: Option<Arc<Sites>>,
    /// Clients that may use the listener, beside this machine. If empty, a reverse proxy serves all.
    pub clients: Vec<Cidr>,
    /// Authentication rules; without, no client has to authenticate.
    pub auth: Option<AuthRules>,
    /// Limits of clients by time, beside those of the process.
    pub limits: ClientLimits,
}

impl Service {
    /// Returns the service of a reverse proxy for `sites`.
    #[must_use]
    pub fn reverse(sites: Sites) -> Self {
        Self { sites: Some(Arc::new(sites)), ..Self::default() }
    }

    /// Returns true if the service is that of a reverse proxy.
    #[must_use]
    pub const fn is_reverse(&self) -> bool {
        self.sites.is_some()
    }

    /// Returns true if `client`, a peer, may use the listener.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        (self.is_reverse() && self.clients.is_empty())
            || client.to_canonical().is_loopback()
            || self.clients.iter().any(|range| range.contains(client))
    }
}
