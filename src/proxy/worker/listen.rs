//! Opening of listeners for clients.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use crate::proxy::mail::Mail;
use crate::proxy::observe::listener::{ListenerInfo, ListenerKind, ListenerSettings};
use crate::reactor::{Endpoint, Id, Listener, LocalOptions, Reactor, Wake};
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
        self.listen_as(ListenerSettings::default(), reactor, endpoint)
    }

    /// Listens at an endpoint, such as an address, and serves what the `settings` say. Returns the
    /// address, whose port the system has chosen if it was 0.
    ///
    /// # Errors
    /// As `bind(2)`; `InvalidInput` for TLS without [`Settings::server_tls`].
    ///
    /// [`Settings::server_tls`]: crate::proxy::Settings::server_tls
    pub fn listen_as(
        &mut self,
        settings: impl Into<ListenerSettings>,
        reactor: &mut Reactor<Mail>,
        endpoint: impl Into<Endpoint>,
    ) -> io::Result<SocketAddr> {
        let settings = settings.into();
        self.check_tls(settings)?;
        let endpoint = endpoint.into();
        let id = self.listeners.try_insert_with(|id| {
            let listener = Listener::bind(reactor, endpoint, id.token())?;
            Ok::<_, io::Error>(ClientListener::new(listener, settings))
        })?;
        self.added(id, reactor)
    }

    /// Listens at a socket in the file system, and serves what the `settings` say. Its clients count as
    /// 127.0.0.1.
    ///
    /// # Errors
    /// As [`Reactor::listen_local_with`]; `InvalidInput` for TLS without [`Settings::server_tls`].
    ///
    /// [`Settings::server_tls`]: crate::proxy::Settings::server_tls
    pub fn listen_local(
        &mut self,
        settings: ListenerSettings,
        reactor: &mut Reactor<Mail>,
        (path, options): (&Path, LocalOptions),
    ) -> io::Result<()> {
        self.check_tls(settings)?;
        let id = self.listeners.try_insert_with(|id| {
            let listener = Listener::bind_local_with(reactor, path, options, id.token())?;
            Ok::<_, io::Error>(ClientListener::local(listener, settings))
        })?;
        let info = self.listeners.get(id).map(ClientListener::info);
        info.into_iter().for_each(|info| self.add_listener(info, reactor));
        Ok(())
    }

    /// Serves plain HTTP on a socket that the embedder has opened. Returns its address.
    ///
    /// # Errors
    /// As [`listen_on_as`](Self::listen_on_as).
    pub fn listen_on(
        &mut self,
        reactor: &mut Reactor<Mail>,
        listener: TcpListener,
    ) -> io::Result<SocketAddr> {
        self.listen_on_as(ListenerSettings::default(), reactor, listener)
    }

    /// Serves what the `settings` say on a socket that the embedder has opened. Returns its address.
    ///
    /// # Errors
    /// Fails if the listener cannot be registered with the reactor; `InvalidInput` for TLS without
    /// [`Settings::server_tls`].
    ///
    /// [`Settings::server_tls`]: crate::proxy::Settings::server_tls
    pub fn listen_on_as(
        &mut self,
        settings: ListenerSettings,
        reactor: &mut Reactor<Mail>,
        listener: TcpListener,
    ) -> io::Result<SocketAddr> {
        self.check_tls(settings)?;
        let id = self.listeners.try_insert_with(|id| {
            let listener = Listener::adopt(reactor, listener, id.token())?;
            Ok::<_, io::Error>(ClientListener::new(listener, settings))
        })?;
        self.added(id, reactor)
    }

    /// Serves what the `settings` say on a Unix socket that the embedder has opened. Its clients count as
    /// 127.0.0.1.
    ///
    /// # Errors
    /// As [`listen_on_as`](Self::listen_on_as).
    pub fn listen_local_on(
        &mut self,
        settings: ListenerSettings,
        reactor: &mut Reactor<Mail>,
        listener: UnixListener,
    ) -> io::Result<()> {
        self.check_tls(settings)?;
        let id = self.listeners.try_insert_with(|id| {
            let listener = Listener::adopt_local(reactor, listener, id.token())?;
            Ok::<_, io::Error>(ClientListener::local(listener, settings))
        })?;
        let info = self.listeners.get(id).map(ClientListener::info);
        info.into_iter().for_each(|info| self.add_listener(info, reactor));
        Ok(())
    }

    /// Records a new listener at an address, and returns the address.
    fn added(
        &mut self,
        id: Id<ClientListener>,
        reactor: &mut Reactor<Mail>,
    ) -> io::Result<SocketAddr> {
        let info = self.listeners.get(id).map(ClientListener::info);
        let info = info.ok_or(io::ErrorKind::NotConnected)?;
        if info.settings.kind == ListenerKind::Tls {
            self.shared.tls_port.get_or_insert(info.address.port());
        }
        self.shared.origins.interfaces.add_listener(info.address);
        self.add_listener(info, reactor);
        Ok(info.address)
    }

    fn check_tls(&self, settings: ListenerSettings) -> io::Result<()> {
        if settings.kind == ListenerKind::Tls && self.shared.settings.server_tls.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS needs a certificate"));
        }
        Ok(())
    }

    /// Records a listener. Groups of origins are looked after once there is one.
    fn add_listener(&mut self, listener: ListenerInfo, reactor: &mut Reactor<Mail>) {
        if self.shared.listeners.is_empty() {
            self.shared.configure_groups(reactor);
            reactor.wake(self.upkeep.token());
        }
        self.shared.listeners.push(listener);
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

    /// Explains requests as if this proxy listened at `address` with these `settings`.
    pub fn assume_listener(&mut self, address: SocketAddr, settings: ListenerSettings) {
        self.add_local_listener(address);
        self.shared.listeners.push(ListenerInfo { address, settings });
    }
}
