//! Services: what a listener serves, and to whom.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Cidr;

use super::auth::AuthRules;
use super::sites::Sites;
use super::throttle::ClientLimits;

/// Service of listeners: its sites, its clients and their limits.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// The sites of a reverse proxy; `None` for a forward proxy.
    pub sites: Option<Arc<Sites>>,
    /// Clients that may use the listener, beside this machine. If empty, a reverse proxy serves all.
    pub clients: Vec<Cidr>,
    /// Authentication rules; without, no client has to authenticate.
    pub auth: Option<AuthRules>,
    /// Authentication rules of sites that have users of their own, by the number of the site, in place of
    /// `auth`.
    pub site_auth: BTreeMap<usize, AuthRules>,
    /// Limits of clients by time, beside those of the process.
    pub limits: ClientLimits,
}

impl Service {
    /// Returns the service of a reverse proxy for `sites`.
    #[must_use]
    pub fn reverse(sites: Sites) -> Self {
        Self { sites: Some(Arc::new(sites)), ..Self::default() }
    }

    /// Returns the authentication rules for a site with users of its own, or for all others.
    pub(crate) fn auth_of(&self, site: Option<usize>) -> Option<&AuthRules> {
        site.and_then(|site| self.site_auth.get(&site)).or(self.auth.as_ref())
    }

    /// Returns the number of the site of `host` if the site has users of its own.
    pub(crate) fn auth_site(&self, host: &str) -> Option<usize> {
        if self.site_auth.is_empty() {
            return None;
        }
        self.sites.as_ref()?.number_of(host).filter(|site| self.site_auth.contains_key(site))
    }

    /// Returns all authentication rules, with the number of the site that they are for.
    pub(crate) fn all_auth(&self) -> impl Iterator<Item = (Option<usize>, &AuthRules)> {
        let of_all = self.auth.iter().map(|rules| (None, rules));
        of_all.chain(self.site_auth.iter().map(|(site, rules)| (Some(*site), rules)))
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
