//! Routes of requests to their origins.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::access::{Host, RuleDecision, RuleRef};
use crate::http::Scheme;
use crate::proxy::error::ExchangeError;
use crate::proxy::settings::Settings;
use crate::proxy::settings::origin::ReverseOrigin;
use crate::tls::OriginTls;

use super::interface_cache::InterfaceCache;
use super::origin_key::OriginKey;

/// The destination of a request, and the target and host to send there.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The host to look up, check and dial.
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) origin: OriginKey,
    /// TLS towards the origin, of the settings that have made the profile in `origin`: a reload changes
    /// nothing about a request that is under way.
    pub(crate) tls: Option<Arc<OriginTls>>,
    /// The normalized target URI, for the cache key and the log; for CONNECT, host and port.
    pub(crate) uri: Arc<str>,
    /// Range of the authority in `uri`; path and query follow it.
    pub(super) authority: Range<usize>,
    /// The target sent to the origin, unless that is path and query of `uri`.
    pub(super) target: Option<String>,
    /// The `Host` sent to the origin, unless that is the authority of `uri`.
    pub(super) host_field: Option<String>,
    /// The rules that decide about addresses; none for a reverse proxy, whose operator has chosen
    /// the origin.
    pub(crate) decision: Option<RuleDecision>,
}

impl Route {
    /// Returns the route of a request of the proxy itself to a URL: scheme, authority, path and query.
    /// No rule is asked, because the operator has chosen the URL. The proxy does not identify itself to
    /// the server as it does to origins.
    ///
    /// # Errors
    /// Returns the reason if the URL is none, or if TLS is needed and there is none.
    pub(crate) fn own(url: &str, settings: &Settings) -> Result<Self, String> {
        let start = url.find("://").map_or(0, |at| at + "://".len());
        let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
        let origin = ReverseOrigin::parse(&url[..end])?;
        let tls = settings.own_tls.clone().filter(|_| origin.scheme == Scheme::Https);
        if origin.scheme == Scheme::Https && tls.is_none() {
            return Err(format!("{url} needs TLS, for which there are no settings"));
        }
        let (uri, authority) = target_uri(origin.scheme, &origin.authority, &url[end..]);
        Ok(Self {
            origin: OriginKey {
                scheme: origin.scheme,
                profile: tls.as_ref().map(|tls| tls.profile(&origin.host.to_string())),
                authority: origin.authority,
            },
            tls,
            host: origin.host,
            port: origin.port,
            target: None,
            host_field: None,
            uri,
            authority,
            decision: None,
        })
    }

    /// Returns the scheme of the target URI; `Http` for CONNECT.
    pub(crate) fn scheme(&self) -> Scheme {
        let name = self.uri[..self.authority.start].trim_end_matches("://");
        Scheme::named(name).unwrap_or(Scheme::Http)
    }

    /// Returns host and port of the target URI.
    pub(crate) fn authority(&self) -> &str {
        &self.uri[self.authority.clone()]
    }

    /// Returns scheme and authority of the target URI.
    pub(crate) fn root(&self) -> &str {
        &self.uri[..self.authority.end]
    }

    /// Returns the target sent to the origin.
    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_else(|| &self.uri[self.authority.end..])
    }

    /// Checks that an address of the host may be dialled by the rules of `settings`, given the
    /// addresses of this machine. Returns the report rule that would have denied the address.
    ///
    /// # Errors
    /// Returns the denial.
    pub(crate) fn check_address(
        &self,
        address: IpAddr,
        settings: &Settings,
        interfaces: &InterfaceCache,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        let Some(decision) = &self.decision else { return Ok(None) };
        let checked =
            settings.destinations.check_address(decision, &self.host, address, interfaces.known()?);
        checked.map_err(ExchangeError::Denied)
    }

    /// Returns the `Host` sent to the origin.
    pub(crate) fn host_field(&self) -> &str {
        self.host_field.as_deref().unwrap_or_else(|| self.authority())
    }
}

/// Returns the URI, and the range of its authority. A missing path is `/` (RFC 9110 §4.2.3).
pub(super) fn target_uri(
    scheme: Scheme,
    authority: &str,
    path_and_query: &str,
) -> (Arc<str>, Range<usize>) {
    let slash = if path_and_query.starts_with('/') { "" } else { "/" };
    let uri = [scheme.name(), "://", authority, slash, path_and_query].concat();
    let start = scheme.name().len() + "://".len();
    (uri.into(), start..start + authority.len())
}
