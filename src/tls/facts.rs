//! What a handshake has negotiated.

use rustls::{Connection, HandshakeKind, ProtocolVersion};

use crate::x509::CertificateFacts;

/// Facts about an established connection, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Version of the protocol: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Cipher suite, by its name at IANA.
    pub cipher: &'static str,
    /// Name of the server that the client asked for (RFC 6066 §3), in lower case.
    pub server_name: Option<String>,
    /// True if an earlier session was resumed.
    pub is_resumed: bool,
    /// Subject of the certificate that the peer has proved to own, if it was verified.
    pub subject: Option<String>,
}

impl Facts {
    /// Returns the facts about a connection to or from `server_name`.
    pub(super) fn of(tls: &Connection, server_name: Option<&str>) -> Self {
        let subject = tls.peer_certificates().and_then(<[_]>::first);
        let subject = subject.and_then(|leaf| CertificateFacts::of(leaf).ok());
        Self {
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher: tls
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            server_name: server_name.map(str::to_owned),
            is_resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            subject: subject.map(|facts| facts.subject),
        }
    }
}
