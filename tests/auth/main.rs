//! Users recognized through the public interface: a request in, a verdict out.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod basic;
mod digest;
mod examples;
mod malformed;
mod support;
