//! Hooks of embedders: what they see, edit, answer and refuse, shown from outside of the proxy.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod edits;
mod finished;
mod peers;
mod responses;
mod stage;
mod values;
