//! The stub resolver: messages, look-ups step by step, and the whole of it on a simulated network.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

#[cfg(feature = "proxy")]
mod dialling;
mod habits;
mod lookup;
mod message;
mod names;
mod names_model;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "proxy")]
mod rebinding;
mod resolver;
mod retries;
mod scene;
mod server;
mod sharing;
mod verdict;
mod work;
mod write;
