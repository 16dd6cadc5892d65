//! Where a request goes: read from its target, its Host and the settings. Pure.

pub(crate) mod client_address;
pub(super) mod decision;
mod forward;
pub(crate) mod interface_cache;
pub(crate) mod origin_key;
mod reverse;
pub(super) mod route;

use std::sync::Arc;

use crate::http::hop::max_forwards;
use crate::http::{Method, RequestHead, hop};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::settings::Settings;

use client_address::Behind;
use decision::Routed;
use forward::forward;
use interface_cache::InterfaceCache;
use reverse::to_origin;

/// Routes the request whose journal it is. `own` says what this machine is itself.
pub(super) fn route(
    request: &RequestHead,
    record: &mut ExchangeRecord,
    settings: &Settings,
    interfaces: &InterfaceCache,
) -> Result<Routed, ExchangeError> {
    let client = record.client.ip();
    if !settings.admits(client) {
        return Err(ExchangeError::ClientDenied(client.to_canonical()));
    }
    if hop::is_loop(request.fields(), &settings.via) {
        return Err(ExchangeError::Loop);
    }
    if has_arrived(request) {
        return Ok(Routed::Here);
    }
    match &settings.reverse {
        Some(origin) => {
            let behind = Behind::of(client, request.fields(), settings);
            let route = to_origin(request, origin, &behind)?;
            record.add(TraceEvent::Routed(Arc::clone(&route.uri)));
            Ok(Routed::Fetch(route))
        }
        None => forward(request, record, settings, interfaces),
    }
}

/// Whether `Max-Forwards` says that the request goes no further.
fn has_arrived(request: &RequestHead) -> bool {
    let limited = matches!(request.method(), Method::Options | Method::Trace);
    limited && max_forwards(request) == Some(0)
}
