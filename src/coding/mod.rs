//! Compression of content on the fly: which responses are coded and why others are not, the fields of a
//! coded response, and the encoders.
//!
//! The module knows no socket, clock or thread. An [`Encoder`] takes content piece by piece, so that its
//! caller decides where and when the work is done.

mod encoder;
mod fields;
mod media_types;
mod policy;
#[cfg(test)]
mod tests;

pub use encoder::{Encoded, Encoder, Next};
pub use fields::{coded, coded_trailers, varying, weakened};
pub use media_types::MediaRange;
pub use policy::{Answer, Asker, CompressionRules, Policy, Uncoded, Verdict};
