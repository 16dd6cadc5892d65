//! Routes of requests to their origins.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::access::{Host, RuleDecision, RuleRef};
use crate::proxy::error::ExchangeError;
use crate::proxy::settings::Settings;

use super::interface_cache::InterfaceCache;
use super::origin_key::OriginKey;

/// Where a request goes and as what.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// What to look up, judge and dial.
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) origin: OriginKey,
    /// The target URI, normalised: the cache's key and what the log shows. For CONNECT host and port.
    pub(crate) uri: Arc<str>,
    /// Where in it the authority stands; path and query follow.
    pub(super) authority: Range<usize>,
    /// The target sent to the origin, if it is not path and query.
    pub(super) target: Option<String>,
    /// The Host sent to the origin, if it is not the authority.
    pub(super) host_field: Option<String>,
    /// What its addresses are judged by; a reverse proxy's origin was chosen by its operator.
    pub(crate) judgement: Option<RuleDecision>,
}

impl Route {
    /// Host and port of the target URI.
    pub(crate) fn authority(&self) -> &str {
        &self.uri[self.authority.clone()]
    }

    /// Scheme and authority of the target URI.
    pub(crate) fn root(&self) -> &str {
        &self.uri[..self.authority.end]
    }

    /// The target sent to the origin.
    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_else(|| &self.uri[self.authority.end..])
    }

    /// The same by `settings`, and what is known of this machine.
    pub(crate) fn check_address_by(
        &self,
        address: IpAddr,
        settings: &Settings,
        interfaces: &InterfaceCache,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        let Some(judgement) = &self.judgement else { return Ok(None) };
        let judged =
            settings.destinations.judge(judgement, &self.host, address, interfaces.known()?);
        judged.map_err(ExchangeError::Denied)
    }

    /// The Host sent to the origin.
    pub(crate) fn host_field(&self) -> &str {
        self.host_field.as_deref().unwrap_or_else(|| self.authority())
    }
}

/// The URI, and where its authority stands. A path that is missing is `/` (RFC 9110 §4.2.3).
pub(super) fn target_uri(
    scheme: &str,
    authority: &str,
    path_and_query: &str,
) -> (Arc<str>, Range<usize>) {
    let slash = if path_and_query.starts_with('/') { "" } else { "/" };
    let uri = [scheme, "://", authority, slash, path_and_query].concat();
    let start = scheme.len() + "://".len();
    (uri.into(), start..start + authority.len())
}
