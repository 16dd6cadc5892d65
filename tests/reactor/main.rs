//! The reactor through its public interface, on a simulated network and on loopback.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod connector;
mod datagrams;
mod echo;
mod embed;
mod interfaces;
mod listener;
mod local;
mod local_connector;
mod loopback;
mod mailbox;
mod nameless;
mod names;
mod resolver;
mod signals;
mod sigpipe;
mod sim;
mod stations;
mod support;
mod timers;
mod turn;
mod waker;
