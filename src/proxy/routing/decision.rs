//! Decisions about a request: a route, a tunnel or an answer.

use std::sync::Arc;

use crate::http::Status;
use crate::proxy::files::Wanted;
use crate::proxy::settings::sites::site_route::{FixedAnswer, SiteRoute};

use super::route::Route;

/// Decision about a request.
#[derive(Clone, Debug)]
pub(crate) enum Routed {
    /// Fetch, or answer from the cache.
    Fetch(Route),
    /// Connect to the origin and relay bytes (CONNECT).
    Tunnel(Route),
    /// Answer here: OPTIONS or TRACE whose `Max-Forwards` is 0 (RFC 9110 §7.6.2), or `OPTIONS *` to
    /// a forward proxy.
    Here,
    /// Redirect the client, by the route of a site.
    Redirect(Status, String, Arc<SiteRoute>),
    /// Serve a file of a folder, by the route of a site.
    Folder(Arc<Wanted>, Arc<SiteRoute>),
    /// Answer by the route of a site.
    Answer(Arc<FixedAnswer>, Arc<SiteRoute>),
}

impl Routed {
    /// Returns the route of a site that has taken the request.
    pub(crate) fn site_route(&self) -> Option<&Arc<SiteRoute>> {
        match self {
            Self::Fetch(route) | Self::Tunnel(route) => Some(&route.site()?.route),
            Self::Redirect(_, _, route) | Self::Answer(_, route) | Self::Folder(_, route) => {
                Some(route)
            }
            Self::Here => None,
        }
    }
}
