//! Routes through a forward proxy.

use std::sync::Arc;

use crate::access::Host;
use crate::cache::Space;
use crate::http::{Form, Method, RequestHead, Scheme};
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::settings::Settings;
use crate::proxy::settings::origin::authority_text;

use super::decision::Routed;
use super::interface_cache::InterfaceCache;
use super::origin_key::OriginKey;
use super::route::{Destination, HostField, Origin, Route, target_uri};

pub(super) fn forward(
    request: &RequestHead,
    record: &mut ExchangeRecord,
    settings: &Settings,
    interfaces: &InterfaceCache,
) -> Result<Routed, ExchangeError> {
    let unserved = |what| Err(ExchangeError::NotSupported(what));
    let connect = request.method() == Method::Connect;
    let authority = match (request.form(), request.authority()) {
        (Form::Asterisk, _) => return Ok(Routed::Here),
        (Form::Authority | Form::Absolute, Some(authority)) => authority,
        _ => return unserved(NotSupported::OriginForm),
    };
    // What a tunnel carries is between client and origin.
    let scheme = if connect { Some(Scheme::Http) } else { Scheme::named(request.scheme()) };
    let Some(scheme) = scheme else { return unserved(NotSupported::Scheme) };
    let origin_tls = settings.origin_tls.clone().filter(|_| scheme == Scheme::Https);
    if scheme == Scheme::Https && origin_tls.is_none() {
        return unserved(NotSupported::Https);
    }
    let Ok(host) = Host::parse(authority.host) else { return unserved(NotSupported::Host) };
    record.trace(|| TraceEvent::Read(authority.host.to_owned(), host.clone()));
    let port = authority.port.unwrap_or(scheme.default_port());
    let context = record.request_context(request);
    let checked = settings.destinations.check_request(&context, &host, port, interfaces.known()?);
    let decision = checked.map_err(ExchangeError::Denied)?;
    if let Some(rule) = decision.reported() {
        record.add(TraceEvent::Reported(rule.clone()));
    }
    let text = authority_text(&host, port, (!connect).then_some(scheme.default_port()));
    let (uri, span) = if connect {
        (Arc::from(text.as_str()), 0..text.len())
    } else {
        target_uri(scheme, &text, request.path_and_query())
    };
    record.add(TraceEvent::Routed(Arc::clone(&uri)));
    let authority: Arc<str> = text.into();
    let origin = Origin {
        key: OriginKey {
            scheme,
            profile: origin_tls.as_ref().map(|tls| tls.profile(&host.to_string())),
            authority: Arc::clone(&authority),
        },
        authority,
        tls: origin_tls,
        host,
        port,
        decision: Some(decision),
        address: None,
        proxy_protocol: None,
    };
    let route = Route {
        to: Destination::Origin(Arc::new(origin)),
        target: asks_about_all(request).then(|| "*".to_owned()),
        host_field: HostField::Asked,
        asked: None,
        uri,
        authority: span,
        space: Space(0),
    };
    Ok(if connect { Routed::Tunnel(route) } else { Routed::Fetch(route) })
}

/// Returns true for OPTIONS with a URL that has neither path nor query: the request is about the
/// origin as a whole, and is sent with the target `*` (RFC 9112 §3.2.4).
fn asks_about_all(request: &RequestHead) -> bool {
    request.method() == Method::Options && request.path_and_query().is_empty()
}
