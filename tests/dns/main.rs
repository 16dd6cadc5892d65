//! The stub resolver: messages, look-ups step by step, and the whole of it on a simulated network.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod lookup;
mod message;
mod names;
#[cfg(feature = "proxy")]
mod rebinding;
mod resolver;
mod server;
mod verdict;
mod write;
