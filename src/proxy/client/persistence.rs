//! Persistence of a client connection after an exchange (RFC 9112 §9.3).

use crate::http::hop::ConnectionOptions;
use crate::http::{Method, RequestHead, Version};

/// Persistence of the connection, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Persistence {
    /// True if the client sends no further request: `Connection: close`, or HTTP/1.0 without
    /// `keep-alive`.
    pub(super) client_closes: bool,
    after: After,
}

/// Fate of the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    Close,
    /// The end of the connection ends the content (RFC 9112 §6.3, rule 8).
    Delimit,
}

impl Persistence {
    /// Returns the persistence that a request asks for. HTTP/1.0 connections persist only at a
    /// `reverse` proxy: a forward proxy does not keep them (RFC 9112 §9.3).
    pub(super) fn of(request: &RequestHead, reverse: bool) -> Self {
        let options = ConnectionOptions::of(request.version(), request.fields());
        let version_persists = request.version() == Version::Http11 || reverse;
        // Bytes behind a refused CONNECT may have been meant for the tunnel (RFC 9931).
        let keep = options.persistent && version_persists && request.method() != Method::Connect;
        let after = if keep { After::Keep } else { After::Close };
        Self { client_closes: !options.persistent, after }
    }

    /// Returns the persistence of a connection that is closed after the response.
    pub(super) const fn closed() -> Self {
        Self { client_closes: false, after: After::Close }
    }

    /// Returns true if the connection is kept.
    pub(super) const fn is_kept(self) -> bool {
        matches!(self.after, After::Keep)
    }

    /// Closes the connection after the response, unless `may_keep`.
    pub(super) fn keep_only_if(&mut self, may_keep: bool) {
        if !may_keep && self.is_kept() {
            self.after = After::Close;
        }
    }

    /// Keeps the connection of a refused CONNECT, so that the client can repeat the request on it with
    /// credentials, unless the client closes it.
    pub(super) fn keep_after_connect(&mut self, may_keep: bool) {
        let keep = may_keep && !self.client_closes;
        self.after = if keep { After::Keep } else { After::Close };
    }

    /// Has the end of the connection end the content.
    pub(super) const fn delimit_content(&mut self) {
        self.after = After::Delimit;
    }

    /// Returns true if only the end of the connection ends the content: content cut short must be
    /// followed by a reset, not a close.
    pub(super) const fn delimits_content(self) -> bool {
        matches!(self.after, After::Delimit)
    }
}
