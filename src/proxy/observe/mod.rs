//! Records of exchanges, and what is made of them: traces, the access log, counters and metrics.

pub(super) mod access_log;
pub(super) mod counters;
pub(super) mod disk_figures;
pub(crate) mod exchange_record;
pub(crate) mod handshakes;
pub(crate) mod journal;
pub(crate) mod journal_filter;
pub(crate) mod latencies;
pub(crate) mod listener;
pub(super) mod log_field;
pub(super) mod log_format;
mod log_line;
mod log_text;
mod metric;
pub(crate) mod not_stored_urls;
pub(super) mod outcome;
pub(crate) mod peer;
pub(super) mod process_figures;
pub(super) mod reason;
pub(crate) mod request_id;
pub(super) mod stats;
pub(crate) mod timings;
pub(crate) mod tops;
pub(crate) mod trace_event;
