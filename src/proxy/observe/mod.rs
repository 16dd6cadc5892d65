//! Records of exchanges: events, the journal, the access log, counters and statistics.

pub(super) mod access_log;
pub(super) mod counters;
pub(crate) mod event;
pub(crate) mod journal;
pub(super) mod log_format;
mod log_text;
pub(super) mod outcome;
pub(super) mod stats;
