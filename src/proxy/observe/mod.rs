//! Records of exchanges, and what is made of them: traces, the access log, counters and metrics.

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
