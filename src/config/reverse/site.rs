//! Sites: the keys of `[[site]]`, beside those of its only route.

use std::fmt;
use std::sync::Arc;

use crate::config::protect::Protect;
use crate::config::section::{Key, SectionView, key_values, many};
use crate::proxy::{HostPattern, Site};

use super::groups::Groups;
use super::route::RouteSection;

/// A site in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteSection {
    hosts: Vec<HostPattern>,
    /// Route of all paths that no other route takes.
    pub(crate) rest: RouteSection,
    pub(crate) routes: Vec<RouteSection>,
}

impl SiteSection {
    /// Returns the site.
    ///
    /// # Errors
    /// A message that names the site and the reason.
    pub(super) fn site(&self, groups: &Groups) -> Result<Site, String> {
        let wrong = |why: String| format!("the site {}: {why}", self);
        let limits = Arc::new(self.rest.limits().clone());
        let mut routes = Vec::new();
        for route in &self.routes {
            let route = route.inheriting(&self.rest).map_err(wrong)?;
            routes.extend(route.routes(groups, &limits).map_err(wrong)?);
        }
        // Without a destination, the keys of the site are those of its routes alone.
        if self.rest.has_action() || self.rest.has_conditions() {
            routes.extend(self.rest.routes(groups, &limits).map_err(wrong)?);
        }
        if routes.is_empty() {
            return Err(wrong("it has no route; add to = 'http://127.0.0.1:8080'".to_owned()));
        }
        Site::new(self.hosts.clone(), routes).map_err(wrong)
    }
}

impl SiteSection {
    /// Returns true if the site serves all hosts that no other has.
    pub(super) const fn takes_rest(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Returns true if a route leads to this URL or group.
    pub(super) fn leads_to(&self, target: &str) -> bool {
        let mut routes = self.routes.iter().chain([&self.rest]);
        routes.any(|route| route.to.as_deref() == Some(target))
    }

    /// Returns the paths of the site that need users of their own.
    ///
    /// # Errors
    /// A message that names the site and the route.
    pub(in crate::config) fn protected(&self) -> Result<Vec<Protect>, String> {
        let routes = self.routes.iter().chain([&self.rest]);
        let protects = routes.map(RouteSection::protect).collect::<Result<Vec<_>, _>>();
        let protects = protects.map_err(|why| format!("the site {self}: {why}"))?;
        Ok(protects.into_iter().flatten().collect())
    }

    /// Returns the site and its routes as they are written or compared.
    pub(in crate::config) fn view(&self) -> SectionView {
        let mut keys = key_values(SITE, self, &Self::default());
        keys.extend(self.rest.view().keys);
        let routes = self.routes.iter().map(RouteSection::view).collect();
        SectionView { name: self.to_string(), keys, routes }
    }
}

/// Writes the hosts of the site.
impl fmt::Display for SiteSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        f.write_str(&if hosts.is_empty() {
            "of all other hosts".to_owned()
        } else {
            hosts.join(", ")
        })
    }
}

/// Keys of `[[site]]`, beside those of a route.
pub const SITE: &[Key<SiteSection>] = &[many(
    "hosts",
    "HOST",
    "Hosts of the site: HOST, *.DOMAIN for all below a domain, .DOMAIN for both [default: all that no \
     other site has; requests for other hosts get 421]",
    |o, text| text.parse().map(|host| o.hosts.push(host)),
    |o| o.hosts.iter().map(ToString::to_string).collect(),
)];
