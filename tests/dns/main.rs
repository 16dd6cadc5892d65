//! The stub resolver: messages, lookups step by step, and the whole resolver on a simulated
//! network.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

#[cfg(feature = "proxy")]
mod dialling;
mod lookup;
mod message;
mod names;
mod names_bounds;
mod names_model;
#[cfg(feature = "proxy")]
mod proxy;
mod quirks;
#[cfg(feature = "proxy")]
mod rebinding;
mod resolution;
mod resolver;
mod retries;
mod scene;
mod server;
mod sharing;
mod work;
mod write;
