//! Access log lines for other programs: syslog, the journal, and log servers over HTTP.
//!
//! The module is sans-IO: lines, events and times in; messages, requests and actions out.

mod answer;
mod batch;
mod destination;
mod encoder;
mod journal;
mod labels;
mod losses;
mod mark;
mod members;
mod retry;
mod segment;
mod severity;
mod shipper;
mod spool;
mod syslog;

pub use answer::Answer;
pub use batch::{Batch, Batcher};
pub use destination::{LogProtocol, LogServer};
pub use encoder::BatchEncoder;
pub use journal::entry;
pub use labels::Labels;
pub use mark::{Marked, push_mark};
pub use members::Members;
pub use retry::Retry;
pub use segment::{decode_segment, encode_segment};
pub use severity::Severity;
pub use shipper::{ShipAction, ShipEvent, ShipLimits, Shipper};
pub use spool::Segment;
pub use syslog::{Facility, Syslog};

#[cfg(test)]
mod tests;
