//! Decisions about a request: a route, a tunnel or an answer.

use super::route::Route;

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Routed {
    /// Fetch, or answer from the cache.
    Fetch(Route),
    /// Connect and step aside.
    Tunnel(Route),
    /// Answer it here: OPTIONS or TRACE that goes no further (RFC 9110 §7.6.2).
    Here,
}
