//! Peers that speak TLS in the test itself, so that it decides which bytes of it leave.

use std::io::{Read, Write};
use std::sync::Arc;
use std::task::Poll;

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets, ContentType,
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use tidegate::reactor::sim::Faults;
use tidegate::tls::{CertificateDer, PrivateKeyDer};

use crate::pair::{Pair, Side};

/// Versions of TLS.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

/// A peer, with the bytes that it has made and the test has not sent.
pub(crate) struct Raw {
    pub(crate) tls: Connection,
    pub(crate) out: Vec<u8>,
    /// True once the stream of the other side has ended.
    pub(crate) has_ended: bool,
}

impl Raw {
    /// Creates a server; `Connection` has no methods that differ between the roles.
    pub(crate) fn server(version: &'static SupportedProtocolVersion) -> Self {
        let chain = CertificateDer::pem_slice_iter(include_bytes!("../pki/server.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../pki/server.key")).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        config.enable_secret_extraction = true;
        let tls = ServerConnection::new(Arc::new(config)).unwrap();
        Self { tls: tls.into(), out: Vec::new(), has_ended: false }
    }

    pub(crate) fn client(version: &'static SupportedProtocolVersion) -> Self {
        Self::new_client(version, Vec::new())
    }

    /// Creates a client that offers `count` protocols beside HTTP, with names of 100 bytes.
    pub(crate) fn client_with_protocols(count: usize) -> Self {
        let others = (0..count).map(|number| format!("{number:0100}").into_bytes());
        Self::new_client(VERSIONS[0], others.chain([b"http/1.1".to_vec()]).collect())
    }

    /// Creates a client that offers one protocol.
    pub(crate) fn client_of(protocol: &[u8]) -> Self {
        Self::new_client(VERSIONS[0], vec![protocol.to_vec()])
    }

    fn new_client(version: &'static SupportedProtocolVersion, protocols: Vec<Vec<u8>>) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(include_bytes!("../pki/ca.pem")).unwrap();
        roots.add(authority).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        config.alpn_protocols = protocols;
        let name = "o.test".try_into().unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { tls: tls.into(), out: Vec::new(), has_ended: false }
    }

    /// Reads what has arrived at `side`; returns its content.
    pub(crate) fn receive(&mut self, side: &mut Side) -> Vec<u8> {
        let mut content = Vec::new();
        while let Poll::Ready(received) = side.recv(64 * 1024) {
            let received = received.unwrap_or_default();
            if received.is_empty() {
                self.has_ended = true;
                break;
            }
            self.read(&received, &mut content);
        }
        self.queue();
        content
    }

    /// Reads bytes of the wire; appends their content.
    pub(crate) fn read(&mut self, mut bytes: &[u8], content: &mut Vec<u8>) {
        while !bytes.is_empty() && self.tls.read_tls(&mut bytes).unwrap() > 0 {
            if self.tls.process_new_packets().is_err() {
                return;
            }
            let _ = self.tls.reader().read_to_end(content);
        }
    }

    /// Moves what the peer has made to `out`.
    pub(crate) fn queue(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.out).unwrap();
        }
    }

    /// Makes records of `content`.
    pub(crate) fn write(&mut self, content: &[u8]) {
        self.tls.writer().write_all(content).unwrap();
        self.queue();
    }

    /// Makes the alert that ends the content.
    pub(crate) fn end(&mut self) {
        self.tls.send_close_notify();
        self.queue();
    }

    /// Sends all that was made, as far as it fits.
    pub(crate) fn flush(&mut self, side: &mut Side) {
        while !self.out.is_empty()
            && let Poll::Ready(Ok(n)) = side.send(&self.out)
        {
            self.out.drain(..n);
        }
    }

    /// Returns a maker of any records, which replaces this peer of TLS 1.3.
    pub(crate) fn forge(self) -> Forge {
        let Some(SupportedCipherSuite::Tls13(suite)) = self.tls.negotiated_cipher_suite() else {
            panic!("not TLS 1.3");
        };
        let (next, secrets) = self.tls.dangerous_extract_secrets().unwrap().tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("unknown secrets");
        };
        Forge { encrypter: suite.aead_alg.encrypter(key, iv), next }
    }
}

/// Returns a pair whose server has completed its handshake with a peer that the test speaks for.
pub(crate) fn with_raw_client() -> (Pair, Raw) {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_server();
    let mut raw = Raw::client(VERSIONS[0]);
    for _ in 0..3 {
        raw.receive(&mut pair.client);
        raw.flush(&mut pair.client);
        pair.settle();
        let _ = pair.server.handshake();
        pair.settle();
    }
    assert!(!raw.tls.is_handshaking() && pair.server.handshake().is_ready());
    (pair, raw)
}

/// Returns a pair whose client, with these faults, has completed its handshake with a peer that the test
/// speaks for.
pub(crate) fn with_raw_server(faults: Faults) -> (Pair, Raw) {
    let mut pair = Pair::plain(0, faults, Faults::NONE);
    pair.secure_client();
    let mut raw = Raw::server(VERSIONS[0]);
    for _ in 0..3 {
        let _ = pair.client.handshake();
        pair.settle();
        raw.receive(&mut pair.server);
        raw.flush(&mut pair.server);
        pair.settle();
    }
    assert!(!raw.tls.is_handshaking() && pair.client.handshake().is_ready());
    (pair, raw)
}

/// A maker of encrypted records of any type and content.
pub(crate) struct Forge {
    encrypter: Box<dyn MessageEncrypter>,
    next: u64,
}

impl Forge {
    pub(crate) fn record(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_3, payload };
        self.next += 1;
        self.encrypter.encrypt(message, self.next - 1).unwrap().encode()
    }
}
