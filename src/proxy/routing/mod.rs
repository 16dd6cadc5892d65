//! Routing: the destination of a request, from its target, its `Host` and the settings. Pure
//! functions.

pub(crate) mod client_address;
pub(super) mod decision;
mod forward;
pub(crate) mod interface_cache;
pub(crate) mod origin_key;
pub(super) mod request_facts;
mod reverse;
pub(super) mod route;

use std::sync::Arc;

use crate::http::hop::max_forwards;
use crate::http::{Method, RequestHead, hop};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::settings::Settings;

use decision::Routed;
use forward::forward;
use interface_cache::InterfaceCache;
use reverse::to_site;

/// Routes a request, and records the decisions. `interfaces` has the addresses of this machine.
///
/// # Errors
/// Returns the refusal of the client or the destination.
pub(super) fn route(
    request: &RequestHead,
    record: &mut ExchangeRecord,
    settings: &Settings,
    interfaces: &InterfaceCache,
) -> Result<Routed, ExchangeError> {
    let client = record.client.ip();
    let service = settings.service(record.listener.service());
    if !service.admits(client) {
        return Err(ExchangeError::ClientDenied(client.to_canonical()));
    }
    let fields = request.fields();
    if hop::is_loop(fields, &settings.via)
        || (service.is_reverse() && hop::is_cdn_loop(fields, &settings.via))
    {
        return Err(ExchangeError::Loop);
    }
    if has_arrived(request) {
        return Ok(Routed::Here);
    }
    match &service.sites {
        Some(sites) => to_site(request, record, settings, sites),
        None => forward(request, record, settings, interfaces),
    }
}

/// Returns the number of the site of a request, if the site has users of its own.
pub(super) fn auth_site(
    request: &RequestHead,
    record: &ExchangeRecord,
    settings: &Settings,
) -> Option<usize> {
    reverse::auth_site(request, record, settings)
}

/// Returns true if the client may use the route of a request, as far as that is known without its user.
pub(super) fn may_use(request: &RequestHead, record: &ExchangeRecord, settings: &Settings) -> bool {
    reverse::may_use(request, record, settings)
}

/// Returns the URL that the client of a request has asked for by path and host, for requests that are not
/// routed; `None` if the target has another form, or if the request names no host.
pub(super) fn asked_url(
    request: &RequestHead,
    record: &ExchangeRecord,
    settings: &Settings,
) -> Option<Arc<str>> {
    reverse::asked_url(request, record, settings)
}

/// Returns true if `Max-Forwards` ends the request here (RFC 9110 §7.6.2).
fn has_arrived(request: &RequestHead) -> bool {
    let limited = matches!(request.method(), Method::Options | Method::Trace);
    limited && max_forwards(request) == Some(0)
}
