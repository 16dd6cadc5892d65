//! Listeners for those who operate the proxy, and the connections that they have made there.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::reactor::{Accepted, Active, Arena, Id, Listener, Reactor};

use super::core::Core;
use super::operator::{Operator, Protocol};
use super::reload::{ReloadRequest, Reloads};
use super::stats::Gauges;
use super::surroundings::Mail;

/// Operators at a time, on each listener.
const MAX_OPERATORS: usize = 16;

/// Listeners for operators, and who has come.
#[derive(Debug)]
pub(super) struct Operators {
    listeners: Arena<OperatorListener>,
    connections: Arena<Operator>,
    reloads: Reloads,
}

/// A listener for operators.
#[derive(Debug)]
pub(super) struct OperatorListener {
    socket: Listener,
    protocol: Protocol,
    /// How many connections it has.
    connections: usize,
}

impl Active for OperatorListener {
    const KIND: u8 = 6;
}

impl Operators {
    pub(super) fn new() -> Self {
        Self { listeners: Arena::new(), connections: Arena::new(), reloads: Reloads::default() }
    }

    /// Takes commands at `path`.
    pub(super) fn listen_local(
        &mut self,
        reactor: &mut Reactor<Mail>,
        path: &Path,
    ) -> io::Result<()> {
        self.open(Protocol::Control, |id| Listener::bind_local(reactor, path, id.token()))?;
        Ok(())
    }

    /// Serves figures on `address`; says which one that is, if the port was 0.
    pub(super) fn listen(
        &mut self,
        reactor: &mut Reactor<Mail>,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let id = self.open(Protocol::Metrics, |id| Listener::bind(reactor, address, id.token()))?;
        Ok(self.listeners.get(id).map_or(address, |listener| listener.socket.address()))
    }

    fn open(
        &mut self,
        protocol: Protocol,
        bind: impl FnOnce(Id<OperatorListener>) -> io::Result<Listener>,
    ) -> io::Result<Id<OperatorListener>> {
        self.listeners.try_insert_with(|id| {
            let socket = bind(id)?;
            Ok(OperatorListener { socket, protocol, connections: 0 })
        })
    }

    /// Closes everything.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) {
        let listeners: Vec<_> = self.listeners.iter().map(|(id, _)| id).collect();
        for listener in listeners.into_iter().filter_map(|id| self.listeners.remove(id)) {
            listener.socket.close(reactor);
        }
        let connections: Vec<_> = self.connections.iter().map(|(id, _)| id).collect();
        for operator in connections.into_iter().filter_map(|id| self.connections.remove(id)) {
            operator.close(reactor, core);
        }
    }

    /// Lets in who waits.
    pub(super) fn accept(&mut self, id: Id<OperatorListener>, reactor: &mut Reactor<Mail>) {
        let Some(listener) = self.listeners.get_mut(id) else { return };
        let mut accepted = Vec::new();
        let room = MAX_OPERATORS - listener.connections;
        let _: Accepted = listener.socket.accept(reactor, room, &mut accepted); // it goes on by itself
        reactor.set_deadline(id.token(), listener.socket.next_deadline());
        listener.connections += accepted.len();
        let protocol = listener.protocol;
        for (io, _) in accepted {
            self.connections.insert_with(|new| Operator::new(new, id, protocol, io, reactor));
        }
    }

    /// From now on there is somebody who takes reloads.
    pub(super) const fn offer_reloads(&mut self) {
        self.reloads.offered = true;
    }

    pub(super) fn take_reload(&mut self) -> Option<ReloadRequest> {
        self.reloads.asked.pop_front()
    }

    /// Passes on what came of a reload, to who may have gone.
    pub(super) fn answer_reload(
        &mut self,
        request: &ReloadRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        if let Some(operator) = self.connections.get_mut(request.operator) {
            operator.answer_reload(answer, reactor);
        }
    }

    /// Goes on with one, who may be told the figures.
    pub(super) fn drive(
        &mut self,
        id: Id<Operator>,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
        gauges: &Gauges,
    ) {
        let Some(operator) = self.connections.get_mut(id) else { return };
        if operator.drive(reactor, core, gauges, &mut self.reloads) {
            return;
        }
        self.reloads.asked.retain(|request| request.operator != id);
        if let Some(operator) = self.connections.remove(id) {
            if let Some(listener) = self.listeners.get_mut(operator.listener()) {
                listener.connections -= 1;
                listener.socket.resume(reactor);
            }
            operator.close(reactor, core);
        }
    }
}

#[cfg(test)]
mod tests;
