//! Routes through a reverse proxy.

use std::sync::Arc;

use crate::auth;
use crate::http::{Authority, Form, Method, Name, RequestHead, Scheme};
use crate::proxy::auth::path_of;
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::settings::origin::ReverseOrigin;

use super::client_address::Behind;
use super::origin_key::OriginKey;
use super::route::{Route, target_uri};
use crate::tls::OriginTls;

/// Routes a request to the origin of a reverse proxy. The client's `Host` is kept, and the origin's
/// prefix put before the path. The target URI has the scheme and host that a trusted proxy reports,
/// since the client knows the resource by those.
pub(super) fn to_origin(
    request: &RequestHead,
    origin: &ReverseOrigin,
    origin_tls: Option<Arc<OriginTls>>,
    behind: &Behind<'_>,
) -> Result<Route, ExchangeError> {
    if request.method() == Method::Connect {
        return Err(ExchangeError::NotSupported(NotSupported::Connect));
    }
    let origin_tls = origin_tls.filter(|_| origin.scheme == Scheme::Https);
    if origin.scheme == Scheme::Https && origin_tls.is_none() {
        return Err(ExchangeError::NotSupported(NotSupported::Https));
    }
    if request.form() == Form::Absolute {
        let used = match Scheme::named(request.scheme()) {
            Some(Scheme::Http) => behind.scheme_here() == Scheme::Http,
            Some(Scheme::Https) => behind.https,
            None => false,
        };
        if !used {
            return Err(ExchangeError::NotSupported(NotSupported::Misdirected));
        }
    }
    if !origin.prefix.is_empty() && auth::climbs(path_of(request)) {
        return Err(ExchangeError::NotSupported(NotSupported::DotSegments));
    }
    let authority = |value| Authority::parse(value).ok();
    let asked =
        request.authority().or_else(|| request.fields().get(Name::Host).and_then(authority));
    let host = asked.map_or_else(
        || origin.authority.to_string(),
        |asked| normalized(&asked, behind.scheme_here().default_port()),
    );
    let scheme = if behind.https { Scheme::Https } else { Scheme::Http };
    let public = behind.host.map(|public| normalized(&public, scheme.default_port()));
    let (uri, span) =
        target_uri(scheme, public.as_deref().unwrap_or(&host), request.path_and_query());
    let target = match request.form() {
        Form::Asterisk => Some("*".to_owned()),
        _ if origin.prefix.is_empty() => None,
        _ => Some([origin.prefix.as_str(), &uri[span.end..]].concat()),
    };
    Ok(Route {
        origin: OriginKey {
            scheme: origin.scheme,
            profile: origin_tls.as_ref().map(|tls| tls.profile(&origin.host.to_string())),
            authority: Arc::clone(&origin.authority),
        },
        tls: origin_tls,
        host: origin.host.clone(),
        port: origin.port,
        target,
        host_field: public.map(|_| host),
        uri,
        authority: span,
        decision: None,
    })
}

/// Returns the authority in lower case and without the default port: URIs that differ in nothing
/// else are equivalent (RFC 9110 §4.2.3), and must be so for the cache and the origin alike.
fn normalized(authority: &Authority<'_>, default_port: u16) -> String {
    let mut text = authority.host.to_ascii_lowercase();
    if let Some(port) = authority.port.filter(|&port| port != default_port) {
        text.push(':');
        text.push_str(&port.to_string());
    }
    text
}
