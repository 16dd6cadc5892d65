//! Kinds of listeners for clients.

/// What a listener speaks with its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerKind {
    /// Plain HTTP.
    #[default]
    Plain,
    /// HTTP over TLS ([`Settings::server_tls`](super::Settings::server_tls)).
    Tls,
    /// Plain HTTP. Every request is redirected to the first listener for TLS.
    Redirect,
}
