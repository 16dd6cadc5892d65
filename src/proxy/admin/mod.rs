//! The control socket and the metrics endpoint, and the connections of operators to them.

pub(super) mod ban_command;
pub(super) mod connection;
pub(super) mod control;
pub(super) mod listener;
pub(super) mod origin_command;
pub(super) mod purge_target;
pub(super) mod reload;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::proxy::mail::Mail;
use crate::proxy::observe::stats::Gauges;
use crate::proxy::shared::Shared;
use crate::reactor::{Accepted, Arena, Endpoint, Id, Listener, Reactor};

use connection::{AdminConnection, AdminCx};
use listener::{AdminListener, Protocol};
use reload::{ReloadRequest, Reloads};

/// Connections per listener. Beyond, a new one replaces one that is not served.
const MAX_OPERATORS: usize = 16;
/// Connections per proxy whose purge, explanation or reload is in progress. Beyond, an operator
/// only gets metrics.
const MAX_SERVED: usize = 12;

/// Listeners for operators, and the connections accepted there.
#[derive(Debug)]
pub(super) struct AdminServer {
    listeners: Arena<AdminListener>,
    connections: Arena<AdminConnection>,
    /// Connections accepted so far.
    accepted: u64,
    reloads: Reloads,
}

impl AdminServer {
    pub(super) fn new() -> Self {
        Self {
            listeners: Arena::new(),
            connections: Arena::new(),
            accepted: 0,
            reloads: Reloads::default(),
        }
    }

    /// Opens a control socket at `path`.
    pub(super) fn listen_local(
        &mut self,
        reactor: &mut Reactor<Mail>,
        path: &Path,
    ) -> io::Result<()> {
        self.open(Protocol::Control, |id| Listener::bind_local(reactor, path, id.token()))?;
        Ok(())
    }

    /// Serves metrics at `endpoint`; returns the address, whose port the system has chosen if it
    /// was 0.
    pub(super) fn listen(
        &mut self,
        reactor: &mut Reactor<Mail>,
        endpoint: Endpoint,
    ) -> io::Result<SocketAddr> {
        let id =
            self.open(Protocol::Metrics, |id| Listener::bind(reactor, endpoint, id.token()))?;
        let listener = self.listeners.get(id);
        Ok(listener.map_or(endpoint.address(), |listener| listener.socket.address()))
    }

    fn open(
        &mut self,
        protocol: Protocol,
        bind: impl FnOnce(Id<AdminListener>) -> io::Result<Listener>,
    ) -> io::Result<Id<AdminListener>> {
        self.listeners.try_insert_with(|id| {
            let socket = bind(id)?;
            Ok(AdminListener { socket, protocol })
        })
    }

    /// Closes all listeners and connections.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        let listeners: Vec<_> = self.listeners.iter().map(|(id, _)| id).collect();
        for listener in listeners.into_iter().filter_map(|id| self.listeners.remove(id)) {
            listener.socket.close(reactor);
        }
        let connections: Vec<_> = self.connections.iter().map(|(id, _)| id).collect();
        for operator in connections.into_iter().filter_map(|id| self.connections.remove(id)) {
            operator.close(reactor, shared);
        }
    }

    /// Accepts the connections that wait. A full listener closes an idle connection for each, so
    /// that operators that send no request or do not read keep no other out.
    pub(super) fn accept(
        &mut self,
        id: Id<AdminListener>,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) {
        let Some(listener) = self.listeners.get_mut(id) else { return };
        let mut accepted = Vec::new();
        // The outcome needs no action: the listener retries by itself.
        let _: Accepted = listener.socket.accept(reactor, usize::MAX, &mut accepted);
        reactor.set_deadline(id.token(), listener.socket.next_deadline());
        let protocol = listener.protocol;
        for newcomer in accepted {
            let number = self.accepted;
            self.accepted += 1;
            self.connections.insert_with(|new| {
                AdminConnection::new(new, id, protocol, newcomer, number, reactor)
            });
            if self.of(id).count() > MAX_OPERATORS {
                self.shed(id, reactor, shared);
            }
        }
    }

    /// The connections of one listener.
    fn of(
        &self,
        listener: Id<AdminListener>,
    ) -> impl Iterator<Item = (Id<AdminConnection>, &AdminConnection)> {
        self.connections.iter().filter(move |(_, operator)| operator.listener() == listener)
    }

    /// Closes a connection that is not served: the oldest of the network that has the most
    /// connections.
    fn shed(&mut self, of: Id<AdminListener>, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        let mut held: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, operator) in self.of(of) {
            *held.entry(operator.network()).or_default() += 1;
        }
        let idle = self.of(of).filter(|(_, operator)| !operator.is_served());
        let oldest = idle.max_by_key(|(_, operator)| {
            (held.get(&operator.network()).copied(), Reverse(operator.number()))
        });
        if let Some(operator) = oldest.map(|(id, _)| id).and_then(|id| self.connections.remove(id))
        {
            operator.close(reactor, shared);
        }
    }

    /// Accepts reload requests from now on: the embedder takes them.
    pub(super) const fn offer_reloads(&mut self) {
        self.reloads.offered = true;
    }

    pub(super) fn take_reload(&mut self) -> Option<ReloadRequest> {
        self.reloads.asked.pop_front()
    }

    /// Sends the result of a reload to the operator that asked for it, unless the connection is
    /// closed.
    pub(super) fn answer_reload(
        &mut self,
        request: &ReloadRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        let operator = request.operator.id().and_then(|id| self.connections.get_mut(id));
        if let Some(operator) = operator {
            operator.answer_reload(answer, reactor);
        }
    }

    /// Drives a connection, and removes it once it is finished.
    pub(super) fn drive(
        &mut self,
        id: Id<AdminConnection>,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        gauges: &Gauges,
    ) {
        let served = self.connections.iter().filter(|(_, operator)| operator.is_served());
        let is_busy = served.count() >= MAX_SERVED;
        let Some(operator) = self.connections.get_mut(id) else { return };
        let mut cx = AdminCx { gauges, reloads: &mut self.reloads, is_busy };
        if operator.drive(reactor, shared, &mut cx) {
            return;
        }
        self.reloads.asked.retain(|request| request.operator != id.token());
        if let Some(operator) = self.connections.remove(id) {
            operator.close(reactor, shared);
        }
    }
}

#[cfg(test)]
mod tests;
