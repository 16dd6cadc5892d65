//! The proxy: the one module that knows everything, and that parses nothing itself.

mod body;
mod buffers;
mod client;
mod core;
mod deadlines;
mod dial;
mod error;
mod fetch;
mod fetch_steps;
mod forward;
mod freshness_rule;
mod journal;
mod limits;
mod log;
mod log_text;
mod outgoing;
mod pool;
mod reply;
mod respond;
mod route;
mod settings;
mod slices;
mod status_fields;
mod steps;
mod surroundings;
mod tunnel;
pub mod units;
mod worker;

pub use journal::{LogFormat, Outcome};
pub use limits::Limits;
pub use log::{LogSink, NoLog};
pub use settings::{ReverseOrigin, Settings};
pub use surroundings::{Command, Mail, Resolver, Surroundings, ThreadedResolver};
pub use worker::Worker;
