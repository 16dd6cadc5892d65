//! Shipping of log lines: the state machine in virtual time, and bodies of requests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bodies;
mod shipper;
mod world;
