//! The requirements of RFC 9111 for a shared cache, sentence by sentence.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod cases;
mod content;
mod deferred;
mod freshness;
mod joining;
mod memory;
mod model;
mod objects;
mod properties;
mod requirements;
mod rules;
mod variants;
#[cfg(feature = "cli")]
mod weights;
mod work;
