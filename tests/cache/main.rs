//! What RFC 9111 asks of a shared cache, sentence by sentence.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod cases;
mod content;
mod freshness;
mod joining;
mod memory;
mod model;
mod objects;
mod properties;
mod put_off;
mod requirements;
mod rules;
mod variants;
#[cfg(feature = "cli")]
mod weights;
mod work;
