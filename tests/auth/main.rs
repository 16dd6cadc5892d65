//! Authentication through its public interface: a request in, a result out.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod basic;
mod digest;
mod examples;
mod malformed;
mod support;
