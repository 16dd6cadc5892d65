//! The parts of a proxy that a client can reach while it is driven.

use std::time::Instant;

use crate::proxy::compress::Compressor;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::proxy::tunnel::Tunnel;
use crate::reactor::{Arena, Budget, Reactor};

/// Parts of the proxy that a client may use while it is driven.
#[derive(Debug)]
pub(crate) struct ClientCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) shared: &'a mut Shared,
    pub(crate) fetches: &'a mut Arena<Fetch>,
    pub(crate) tunnels: &'a mut Arena<Tunnel>,
    pub(crate) compressors: &'a mut Arena<Compressor>,
    pub(crate) budget: Budget,
}

impl<'a> ClientCx<'a> {
    /// Returns the context of one drive, with its budget.
    pub(crate) fn new(
        reactor: &'a mut Reactor<Mail>,
        shared: &'a mut Shared,
        fetches: &'a mut Arena<Fetch>,
        tunnels: &'a mut Arena<Tunnel>,
        compressors: &'a mut Arena<Compressor>,
    ) -> Self {
        Self { reactor, shared, fetches, tunnels, compressors, budget: Budget::default() }
    }

    /// Returns the monotonic time of this turn.
    pub(crate) fn now(&self) -> Instant {
        self.reactor.now().mono
    }
}
