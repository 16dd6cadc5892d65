//! The proxy: the one module that knows everything, and that parses nothing itself.

mod address_text;
mod admission;
mod behind;
mod body;
mod buffers;
mod client;
mod connection_memory;
mod control;
mod core;
mod counters;
mod deadlines;
mod dial;
mod door;
mod error;
mod event;
mod explain;
mod fetch;
mod fetch_steps;
mod form;
mod forward;
mod journal;
mod limits;
mod log;
mod log_line;
mod log_text;
mod names;
mod operator;
mod operators;
mod outgoing;
mod own;
mod pool;
mod purge;
mod question;
mod readers;
mod reload;
mod remembered;
mod reply;
mod respond;
mod route;
mod settings;
mod slices;
mod stats;
mod status_fields;
mod steps;
mod surroundings;
mod tunnel;
mod worker;

pub use crate::cache::Eviction;
pub use control::ControlRequest;
pub use door::{AuthRules, ProtectionSpace};
pub use explain::Explanation;
pub use journal::Outcome;
pub use limits::Limits;
pub use log::{LogSink, NoLog};
pub use log_line::LogFormat;
pub use purge::PurgeTarget;
pub use question::Question;
pub use reload::ReloadRequest;
pub use settings::{ReverseOrigin, Settings};
pub use stats::Stats;
pub use surroundings::{
    Command, Hasher, Mail, ReclaimAtOnce, Reclaimer, Resolver, Surroundings, ThreadedHasher,
    ThreadedResolver,
};
pub use worker::Worker;
