//! Listeners for clients: their kinds and services.

use std::net::SocketAddr;

/// Protocol between a listener and its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerKind {
    /// Plain HTTP.
    #[default]
    Plain,
    /// HTTP over TLS ([`Settings::server_tls`](crate::proxy::Settings::server_tls)).
    Tls,
    /// Plain HTTP. Every request is redirected to the first listener for TLS.
    Redirect,
}

/// The service of a listener: 0 is that of the settings as a whole
/// ([`Settings::service`]), and the others follow in the order of
/// [`Settings::services`].
///
/// [`Settings::service`]: field@crate::proxy::Settings::service
/// [`Settings::services`]: field@crate::proxy::Settings::services
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub usize);

/// The users that a request is authenticated among: those of a service, or those of a site of the service
/// that has some of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AuthScope {
    pub(crate) service: ServiceId,
    /// Number of the site.
    pub(crate) site: Option<usize>,
}

/// Protocol and service of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Protocol between the listener and its clients.
    pub kind: ListenerKind,
    /// Service for all requests of the listener.
    pub service: ServiceId,
    /// True if each connection begins with a PROXY header of a trusted proxy.
    pub proxy_protocol: bool,
}

/// The settings of a listener of a kind with the service of the settings as a whole.
impl From<ListenerKind> for ListenerSettings {
    fn from(kind: ListenerKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// A listener, as its connections know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerInfo {
    /// The address; unspecified, with port 0, for a socket in the file system.
    pub(crate) address: SocketAddr,
    pub(crate) settings: ListenerSettings,
}

impl ListenerInfo {
    pub(crate) const fn kind(&self) -> ListenerKind {
        self.settings.kind
    }

    pub(crate) const fn service(&self) -> ServiceId {
        self.settings.service
    }
}
