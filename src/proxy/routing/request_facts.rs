//! Facts about a request that several steps need.

use std::sync::Arc;

use crate::http::{Method, RequestHead, hop};
use crate::proxy::settings::Settings;
use crate::tls::Facts;

/// Facts that are read from a request's head once, before the cache is asked.
#[derive(Clone, Debug)]
pub(crate) struct RequestFacts {
    /// Protocol of an upgrade that is forwarded (RFC 9110 §7.8).
    pub(crate) upgrade: Option<Arc<str>>,
    /// True if credentials of the request authenticate its connection to the origin (RFC 4559 §6).
    pub(crate) authenticates_connection: bool,
    /// The client's TLS session, if it has one.
    pub(crate) tls: Option<Arc<Facts>>,
}

impl RequestFacts {
    /// Returns the facts about `request`.
    pub(crate) fn of(request: &RequestHead, tls: Option<&Arc<Facts>>, settings: &Settings) -> Self {
        Self {
            upgrade: upgrade(request, settings),
            authenticates_connection: hop::authenticates_connection(request.fields()),
            tls: tls.cloned(),
        }
    }
}

/// Returns the protocol of an upgrade that is forwarded: WebSocket, which is requested by a GET
/// without content (RFC 6455 §4.1), or a protocol that the operator allows.
fn upgrade(request: &RequestHead, settings: &Settings) -> Option<Arc<str>> {
    let asked = hop::upgrade(request.version(), request.fields())?;
    let plain = request.method() == Method::Get && !request.body_length().has_content();
    if asked.eq_ignore_ascii_case(b"websocket") {
        return plain.then(|| "websocket".into());
    }
    let allowed = settings.upgrades.iter().find(|protocol| protocol.is_named(asked));
    allowed.map(|protocol| protocol.as_str().into())
}
