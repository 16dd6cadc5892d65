//! Hand-over to the process that takes the place of this one.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::proxy::admin::succession::UpgradeRequest;
use crate::proxy::mail::Mail;
use crate::reactor::Reactor;

use super::Worker;

/// Time for which connections that are idle at a hand-over may send another request.
const IDLE: Duration = Duration::from_secs(5);

impl Worker {
    /// Takes control connections from a Unix socket that was opened elsewhere.
    ///
    /// # Errors
    /// As [`Reactor::adopt_local`].
    pub fn control_on(
        &mut self,
        reactor: &mut Reactor<Mail>,
        socket: UnixListener,
    ) -> io::Result<()> {
        self.admin.adopt_local(reactor, socket)
    }

    /// Serves metrics on a socket that was opened elsewhere. Returns its address.
    ///
    /// # Errors
    /// As [`Reactor::adopt`].
    pub fn metrics_on(
        &mut self,
        reactor: &mut Reactor<Mail>,
        socket: TcpListener,
    ) -> io::Result<SocketAddr> {
        let address = self.admin.adopt(reactor, socket)?;
        self.shared.origins.interfaces.add_listener(address);
        Ok(address)
    }

    /// Accepts requests of operators for upgrades from now on. The embedder takes them
    /// ([`take_upgrade`](Self::take_upgrade)) after each turn. Before, such requests fail.
    pub const fn offer_upgrades(&mut self) {
        self.admin.offer_upgrades();
    }

    /// Takes the next request for an upgrade. The operator waits for its answer for 48 seconds.
    pub fn take_upgrade(&mut self) -> Option<UpgradeRequest> {
        self.admin.take_upgrade()
    }

    /// Answers a request for an upgrade: text to print, or the reason of a failure.
    pub fn answer_upgrade(
        &mut self,
        request: &UpgradeRequest,
        answer: Result<String, String>,
        reactor: &mut Reactor<Mail>,
    ) {
        self.admin.answer_upgrade(request, answer, reactor);
    }

    /// Returns true once another process has taken the place of this one: it has the sockets of operators,
    /// and the files that only one process may write.
    #[must_use]
    pub const fn has_yielded(&self) -> bool {
        self.admin.has_yielded()
    }

    /// Leaves everything that only one process may have to another one, and drains. Idle connections are
    /// closed after a while: their clients learn by the response to their next request that the connection
    /// ends, and no request is lost.
    pub(super) fn hand_over(&mut self, reactor: &mut Reactor<Mail>) {
        if !self.shared.draining {
            self.shared.idle_until = Some(reactor.now().mono + IDLE);
        }
        self.drain(reactor);
        self.admin.yield_listeners(reactor);
        let certifiers: Vec<_> = self.certifiers.iter().map(|(id, _)| id).collect();
        for id in certifiers {
            if let Some(mut certifier) = self.certifiers.remove(id) {
                certifier.end(id, reactor, &mut self.shared);
            }
        }
    }

    /// Hands over to a process that wants the place of this one, which drains.
    pub(super) fn yield_to_successor(&mut self, reactor: &mut Reactor<Mail>) {
        if let Some(successor) = self.admin.take_successor() {
            self.hand_over(reactor);
            self.admin.answer(successor, Ok("the sockets are free".to_owned()), reactor);
        }
    }
}
