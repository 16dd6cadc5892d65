//! The control socket and the site for operators, and the connections of operators to them.

pub(super) mod ban_command;
pub(super) mod connection;
pub(super) mod control;
pub(super) mod listener;
pub(super) mod origin_command;
pub(super) mod purge_target;
pub(super) mod reload;
mod site;
pub(super) mod succession;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::proxy::mail::Mail;
use crate::proxy::observe::stats::gauges::Gauges;
use crate::proxy::shared::Shared;
use crate::reactor::{Accepted, Arena, Endpoint, Id, Listener, Reactor, Token};

use connection::{AdminConnection, AdminCx};
use listener::{AdminListener, Protocol};
use reload::{ReloadRequest, Reloads};
use succession::{Succession, UpgradeRequest};

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
    succession: Succession,
}

impl AdminServer {
    pub(super) fn new() -> Self {
        Self {
            listeners: Arena::new(),
            connections: Arena::new(),
            accepted: 0,
            reloads: Reloads::default(),
            succession: Succession::default(),
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
        let id = self.open(Protocol::Http, |id| Listener::bind(reactor, endpoint, id.token()))?;
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

    /// Takes control connections from a Unix socket that was opened elsewhere.
    pub(super) fn adopt_local(
        &mut self,
        reactor: &mut Reactor<Mail>,
        socket: UnixListener,
    ) -> io::Result<()> {
        self.open(Protocol::Control, |id| Listener::adopt_local(reactor, socket, id.token()))?;
        Ok(())
    }

    /// Serves metrics on a socket that was opened elsewhere; returns its address.
    pub(super) fn adopt(
        &mut self,
        reactor: &mut Reactor<Mail>,
        socket: TcpListener,
    ) -> io::Result<SocketAddr> {
        let address = socket.local_addr()?;
        self.open(Protocol::Http, |id| Listener::adopt(reactor, socket, id.token()))?;
        Ok(address)
    }

    /// Leaves the sockets of operators to another process: closes all listeners. Connections stay.
    pub(super) fn yield_listeners(&mut self, reactor: &mut Reactor<Mail>) {
        self.succession.has_yielded = true;
        self.close_listeners(reactor);
    }

    fn close_listeners(&mut self, reactor: &mut Reactor<Mail>) {
        let listeners: Vec<_> = self.listeners.iter().map(|(id, _)| id).collect();
        for listener in listeners.into_iter().filter_map(|id| self.listeners.remove(id)) {
            listener.socket.close(reactor);
        }
    }

    /// Returns true once another process has the sockets of operators.
    pub(super) const fn has_yielded(&self) -> bool {
        self.succession.has_yielded
    }

    /// Takes the wish of another process to have the sockets of operators.
    pub(super) const fn take_successor(&mut self) -> Option<Token> {
        self.succession.successor.take()
    }

    /// Returns true if an operator has not received an answer as a whole yet.
    pub(super) fn is_answering(&self) -> bool {
        self.connections.iter().any(|(_, operator)| operator.is_answering())
    }

    /// Closes all listeners and connections.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.close_listeners(reactor);
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

    /// Accepts requests for upgrades from now on: the embedder takes them.
    pub(super) const fn offer_upgrades(&mut self) {
        self.succession.offered = true;
    }

    pub(super) fn take_upgrade(&mut self) -> Option<UpgradeRequest> {
        self.succession.asked.pop_front()
    }

    /// Sends the result of a reload to the operator that asked for it, unless the connection is
    /// closed.
    pub(super) fn answer_reload(
        &mut self,
        request: &ReloadRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        self.answer(request.operator, answer, reactor);
    }

    /// Sends the result of an upgrade to the operator that asked for it, unless the connection is
    /// closed.
    pub(super) fn answer_upgrade(
        &mut self,
        request: &UpgradeRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        self.answer(request.operator, answer, reactor);
    }

    /// Sends an answer on a connection that waits for it, if that is still open.
    pub(super) fn answer(
        &mut self,
        operator: Token,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        let operator = operator.id().and_then(|id| self.connections.get_mut(id));
        if let Some(operator) = operator {
            operator.answer_request(answer, reactor);
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
        let Self { reloads, succession, .. } = self;
        let mut cx = AdminCx { gauges, reloads, succession, is_busy };
        if operator.drive(reactor, shared, &mut cx) {
            return;
        }
        self.reloads.asked.retain(|request| request.operator != id.token());
        self.succession.asked.retain(|request| request.operator != id.token());
        if let Some(operator) = self.connections.remove(id) {
            operator.close(reactor, shared);
        }
    }
}

#[cfg(test)]
mod tests;
