//! tidegate: a caching HTTP proxy, and the single-threaded reactor it runs on.
//!
//! Without default features this crate is [`reactor`] alone, to build other one-threaded network
//! programs on. With feature `proxy` it is the proxy as a library as well; feature `sim` adds a
//! simulated network, so that either can be tested without sockets and without waiting.

pub mod reactor;
pub mod time;
