//! Records of exchanges: events, the journal, the access log, counters and statistics.

pub(super) mod access_log;
pub(super) mod counters;
pub(crate) mod exchange_record;
pub(super) mod log_format;
mod log_line;
mod log_text;
pub(super) mod outcome;
pub(super) mod reason;
pub(super) mod stats;
pub(crate) mod trace_event;
