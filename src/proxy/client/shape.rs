//! Shape: content is sent within the limits of bytes by time.

use std::time::Instant;

use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::shared::Shared;
use crate::proxy::throttling::client_tables::LimitedRoute;
use crate::proxy::throttling::counted::Counted;
use crate::throttle::Grant;

use super::context::ClientCx;

/// Takes up to `wanted` bytes of content for the client of an exchange, by a route with limits. `turn` is
/// that of the exchange if it was refused.
pub(super) fn take(
    (record, route): (&ExchangeRecord, Option<LimitedRoute>),
    wanted: u64,
    turn: &mut Option<Instant>,
    cx: &mut ClientCx<'_>,
) -> Grant {
    let now = cx.now();
    let Shared { throttling, settings, .. } = &mut *cx.shared;
    if wanted == 0 || !throttling.tables.has_bandwidth() {
        return Grant { bytes: wanted, wait: None };
    }
    let limits = (record.listener.service(), route);
    throttling.tables.take_bytes(limits, &Counted::of(record, settings), wanted, turn, now)
}

/// Returns bytes that were taken and will not be sent.
pub(super) fn give_back(
    (record, route): (&ExchangeRecord, Option<LimitedRoute>),
    bytes: u64,
    cx: &mut ClientCx<'_>,
) {
    let Shared { throttling, settings, .. } = &mut *cx.shared;
    if bytes > 0 && throttling.tables.has_bandwidth() {
        let limits = (record.listener.service(), route);
        throttling.tables.give_back(limits, &Counted::of(record, settings), bytes);
    }
}
