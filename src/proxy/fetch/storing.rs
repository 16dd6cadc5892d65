//! Storing: the cache is asked whether a response may be stored.

use std::time::Instant;

use crate::cache::{self, NotStored, Presented, Response, Storable};
use crate::http::{Fields, Status};
use crate::proxy::settings::Settings;
use crate::proxy::shared::Shared;
use crate::time::Now;

use super::attempt::Received;
use super::request::FetchRequest;
use super::rewrite_request;

/// Returns how a response may be stored, or the reason against storing it.
pub(super) fn storable(
    request: &mut FetchRequest,
    received: Received<'_>,
    shared: &Shared,
    now: Now,
) -> Result<Storable, NotStored> {
    let head = received.head;
    if !shared.cache.is_on() {
        return Err(NotStored::Off);
    }
    if request.bypasses_cache {
        return Err(NotStored::Bypass);
    }
    if received.is_bound {
        return Err(NotStored::Authorization);
    }
    // Of a part, as much is kept as there is room for.
    let is_part = head.status() == Status::PARTIAL_CONTENT;
    if !is_part && !shared.cache.accepts_length(head.body_length().known().unwrap_or_default()) {
        return Err(NotStored::TooLarge);
    }
    if rewrite_request::varies_by_hop(head.fields(), request) {
        return Err(NotStored::VaryAll);
    }
    let is_of_user = request.tells_user();
    let (response, sent) = ((head.status(), head.fields()), received.sent_at);
    request.ask_cache(response, sent, &shared.settings, now, |request, response| {
        if is_of_user && !response.is_shared() {
            return Err(NotStored::Authorization);
        }
        cache::storable(request, &Response { is_coded: head.is_coded(), ..response })
    })
}

impl FetchRequest {
    /// Calls `ask` with the request and a response to it: the response received, or a stored one with
    /// updated fields. The request was sent at `sent`.
    pub(super) fn ask_cache<R>(
        &mut self,
        (status, fields): (Status, &Fields),
        sent: Instant,
        settings: &Settings,
        now: Now,
        ask: impl FnOnce(&mut Presented, Response<'_>) -> R,
    ) -> R {
        let response = Response {
            uri: &self.route.uri,
            status,
            fields,
            is_coded: false,
            targets: settings.targets(),
            rules: &settings.freshness_rules,
            store_cookies: settings.store_cookies,
            forced: self.forced_lifetime(status, fields),
            drops_cookies: self.drops_cookies(),
            sent,
            now,
        };
        ask(&mut self.presented, response)
    }
}
