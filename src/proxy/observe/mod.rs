//! Records of exchanges, and what is made of them: traces, the access log, counters and metrics.

pub(super) mod access_log;
pub(super) mod counters;
pub(crate) mod exchange_record;
pub(crate) mod handshakes;
pub(crate) mod listener;
pub(super) mod log_format;
mod log_line;
mod log_text;
mod metric;
pub(super) mod outcome;
pub(crate) mod peer;
pub(super) mod reason;
pub(super) mod stats;
pub(crate) mod trace_event;
