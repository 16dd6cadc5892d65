//! What a handshake has negotiated.

use std::borrow::Cow;

use rustls::{Connection, HandshakeKind, ProtocolVersion};

use crate::x509::CertificateFacts;

/// Facts about an established connection, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Version of the protocol: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Cipher suite, by its name at IANA.
    pub cipher: Cow<'static, str>,
    /// Name of the server that the client asked for (RFC 6066 §3), in lower case.
    pub server_name: Option<String>,
    /// True if an earlier session was resumed.
    pub is_resumed: bool,
    /// Certificate that the peer has proved to own, if it has presented one.
    pub certificate: Option<PeerCertificate>,
}

/// Certificate of a peer. That of a client was verified; that of an origin was if its profile is a
/// [verified](super::Profile::is_verified) one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Subject as text (RFC 4514).
    pub subject: String,
    /// DNS names and addresses of the subject alternative name, and the common name.
    pub names: Vec<String>,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl PeerCertificate {
    fn of(der: &[u8]) -> Option<Self> {
        let facts = CertificateFacts::of(der).ok()?;
        let addresses = facts.addresses.iter().map(ToString::to_string);
        let mut names: Vec<_> = facts.dns_names.into_iter().chain(addresses).collect();
        names.extend(facts.common_name);
        Some(Self { subject: facts.subject, names, der: der.to_vec() })
    }
}

impl Facts {
    /// Returns the facts of an assumed session, in which the client has proved to own a certificate for
    /// `name`, if one is given.
    #[must_use]
    pub fn assumed(name: Option<&str>) -> Self {
        let certificate = name.map(|name| PeerCertificate {
            subject: name.to_owned(),
            names: vec![name.to_owned()],
            der: Vec::new(),
        });
        Self {
            version: "TLSv1.3",
            cipher: "unknown".into(),
            server_name: None,
            is_resumed: false,
            certificate,
        }
    }

    /// Returns the facts about a connection to or from `server_name`.
    pub(super) fn of(tls: &Connection, server_name: Option<&str>) -> Self {
        let leaf = tls.peer_certificates().and_then(<[_]>::first);
        Self {
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher: tls
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map_or("unknown".into(), |name| name.replace("TLS13_", "TLS_").into()),
            server_name: server_name.map(str::to_owned),
            is_resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            certificate: leaf.and_then(|leaf| PeerCertificate::of(leaf)),
        }
    }
}
