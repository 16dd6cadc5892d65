//! Routes through a reverse proxy.

use std::sync::Arc;

use crate::auth;
use crate::http::{Authority, Form, Method, Name, RequestHead};
use crate::proxy::auth::path_of;
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::settings::origin::ReverseOrigin;

use super::client_address::Behind;
use super::origin_key::OriginKey;
use super::route::{Route, target_uri};

/// Routes a request to the origin of a reverse proxy. The client's `Host` is kept, and the origin's
/// prefix put before the path. The target URI has the scheme and host that a trusted proxy reports,
/// since the client knows the resource by those.
pub(super) fn to_origin(
    request: &RequestHead,
    origin: &ReverseOrigin,
    behind: &Behind<'_>,
) -> Result<Route, ExchangeError> {
    if request.method() == Method::Connect {
        return Err(ExchangeError::NotSupported(NotSupported::Connect));
    }
    if request.form() == Form::Absolute {
        let is = |scheme| request.scheme().eq_ignore_ascii_case(scheme);
        let as_asked = is("http") || (behind.https && is("https"));
        if !as_asked {
            return Err(ExchangeError::NotSupported(NotSupported::Misdirected));
        }
    }
    if !origin.prefix.is_empty() && auth::climbs(path_of(request)) {
        return Err(ExchangeError::NotSupported(NotSupported::DotSegments));
    }
    let authority = |value| Authority::parse(value).ok();
    let asked =
        request.authority().or_else(|| request.fields().get(Name::Host).and_then(authority));
    let host = asked.map_or_else(|| origin.authority.to_string(), |asked| normalized(&asked, 80));
    let (scheme, port) = if behind.https { ("https", 443) } else { ("http", 80) };
    let public = behind.host.map(|public| normalized(&public, port));
    let (uri, span) =
        target_uri(scheme, public.as_deref().unwrap_or(&host), request.path_and_query());
    let target = match request.form() {
        Form::Asterisk => Some("*".to_owned()),
        _ if origin.prefix.is_empty() => None,
        _ => Some([origin.prefix.as_str(), &uri[span.end..]].concat()),
    };
    Ok(Route {
        origin: OriginKey { authority: Arc::clone(&origin.authority) },
        host: origin.host.clone(),
        port: origin.port,
        target,
        host_field: public.map(|_| host),
        uri,
        authority: span,
        judgement: None,
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
