//! Opening of listeners for clients.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::proxy::mail::Mail;
use crate::proxy::settings::listener::ListenerKind;
use crate::reactor::{Endpoint, Listener, Reactor};
use crate::tls::ServerTls;

use super::Worker;
use super::listener::ClientListener;

impl Worker {
    /// Listens at an endpoint, such as an address, for plain HTTP. Returns the address, whose port the
    /// system has chosen if it was 0.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn listen(
        &mut self,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        self.listen_as(ListenerKind::Plain, reactor, endpoint)
    }

    /// Listens at an endpoint, such as an address, for what the `kind` says. Returns the address, whose
    /// port the system has chosen if it was 0.
    ///
    /// # Errors
    /// As `bind(2)`; `InvalidInput` for TLS without [`Settings::server_tls`].
    ///
    /// [`Settings::server_tls`]: crate::proxy::Settings::server_tls
    pub fn listen_as(
        &mut self,
        kind: ListenerKind,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        if kind == ListenerKind::Tls && self.shared.settings.server_tls.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS needs a certificate"));
        }
        let endpoint = endpoint.into();
        let id = self.listeners.try_insert_with(|id| {
            let listener = Listener::bind(reactor, endpoint, id.token())?;
            Ok::<_, io::Error>(ClientListener::new(listener, kind))
        })?;
        let gate = self.listeners.get(id);
        let address = gate.map_or(endpoint.address(), |gate| gate.listener.address());
        self.shared.origins.interfaces.add_listener(address);
        if kind == ListenerKind::Tls {
            self.shared.tls_port.get_or_insert(address.port());
        }
        Ok(address)
    }

    /// Serves a listener that the embedder has opened. Returns its address.
    ///
    /// # Errors
    /// Fails if the listener cannot be registered with the reactor.
    pub fn listen_on(
        &mut self,
        reactor: &mut Reactor<Mail>,
        listener: TcpListener,
    ) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        self.listeners.try_insert_with(|id| {
            let listener = Listener::adopt(reactor, listener, id.token())?;
            Ok::<_, io::Error>(ClientListener::new(listener, ListenerKind::Plain))
        })?;
        self.shared.origins.interfaces.add_listener(address);
        Ok(address)
    }

    /// Serves new connections of TLS listeners by `tls`, in place of the settings' own. Connections that
    /// are open stay as they are.
    pub fn serve_tls(&mut self, tls: ServerTls) {
        self.shared.identity.configure(Some(Arc::new(tls)));
    }

    /// Treats `address` as one of this proxy's listeners, which are denied as destinations.
    pub fn add_local_listener(&mut self, address: SocketAddr) {
        self.shared.origins.interfaces.add_listener(address);
    }
}
