//! The whole proxy between a client without TLS and an origin whose TLS the test speaks, and before a
//! client whose TLS the test speaks.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use rustls::SupportedProtocolVersion;
use tidegate::proxy::{
    Command, Environment, ListenerKind, Mail, NoLog, ReclaimAtOnce, Settings, Worker,
};
use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    Arena, Driven, NameSource, NameSources, Reactor, SocketId, Token, VirtualClock,
};
use tidegate::tls::{ServerTls, ServerTlsOptions};

use crate::host::{NoPasswords, settle};
use crate::pki;
use crate::raw::{Raw, VERSIONS};

const PROXY: &str = "203.0.113.1:3128";
const TLS: &str = "203.0.113.1:3129";
const ORIGIN: &str = "198.51.100.1:443";

const REQUEST: &str = "GET https://o.test/ HTTP/1.1\r\nHost: o.test\r\n\r\n";
/// A request that only the cache answers.
const STORED: &str =
    "GET https://o.test/ HTTP/1.1\r\nHost: o.test\r\nCache-Control: only-if-cached\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n";
const CONTENT: &[u8] = b"the content ends with the stream";
const WITH_LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Verifies no passwords.
struct Owner;

impl Driven for Owner {
    const KIND: u8 = 0;
}

/// Returns the settings of a server that serves clients with a certificate alone, and that answers the
/// challenge of an authority for `o.test`.
fn challenged(clock: &VirtualClock) -> Arc<ServerTls> {
    let options =
        ServerTlsOptions { client_authorities: pki::authority(), ..pki::server_options(clock) };
    let answer = ("o.test".to_owned(), options.certificates.list()[0].clone());
    let tls = ServerTls::new(options, &pki::time(clock)).unwrap();
    Arc::new(tls.with(Vec::new(), [answer].iter()))
}

struct Stage {
    network: Network,
    proxy: Reactor<Mail>,
    worker: Worker,
    outside: Reactor<()>,
    owner: Token,
    listener: SocketId,
    origin: Option<Origin>,
}

/// A connection of the origin.
struct Origin {
    io: SocketId,
    raw: Raw,
    /// Bytes sent, and the number after which the stream ends.
    sent: usize,
    most: usize,
    /// Bytes sent before the response.
    before: usize,
}

impl Stage {
    fn new() -> Self {
        let network = Network::new(0);
        let mut proxy: Reactor<Mail> =
            network.reactor("203.0.113.1".parse().unwrap(), Faults::NONE);
        let mut outside: Reactor<()> =
            network.reactor("198.51.100.1".parse().unwrap(), Faults::NONE);
        let owner = Arena::new().insert(Owner).token();
        let listener = outside.listen(ORIGIN.parse::<SocketAddr>().unwrap(), owner).unwrap();
        let mut settings = Settings::forward("test");
        settings.destinations.rules = vec!["198.51.100.0/24".parse().unwrap()];
        settings.service.clients = vec!["198.51.100.0/24".parse().unwrap()];
        settings.origin_tls = Some(pki::origin_tls(&network.clock()));
        settings.server_tls = Some(challenged(&network.clock()));
        settings.name_sources = NameSources {
            hosts: NameSource::Text("198.51.100.1 o.test\n".into()),
            resolv_conf: NameSource::Text(String::new()),
            ..NameSources::default()
        };
        let environment = Environment {
            resolver: None,
            verifier: Box::new(NoPasswords),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![IpAddr::from([203, 0, 113, 1])]),
            log: Box::new(NoLog),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, environment, 100);
        worker.listen(&mut proxy, PROXY.parse::<SocketAddr>().unwrap()).unwrap();
        let tls = TLS.parse::<SocketAddr>().unwrap();
        worker.listen_as(ListenerKind::Tls, &mut proxy, tls).unwrap();
        Self { network, proxy, worker, outside, owner, listener, origin: None }
    }

    fn settle(&mut self) {
        settle(&self.network, &mut self.proxy, &mut self.worker, &mut self.outside);
    }

    /// Sends a request on a new connection.
    fn ask(&mut self, request: &str) -> SocketId {
        let io = self.outside.connect(PROXY.parse().unwrap(), self.owner).unwrap();
        self.settle();
        assert!(self.outside.connected(io).is_ready());
        assert!(self.outside.send(io, &[IoSlice::new(request.as_bytes())]).is_ready());
        self.settle();
        io
    }

    /// Answers connections of the proxy with `response`, then the end, and cuts off all but `most`
    /// bytes.
    fn serve(&mut self, version: &'static SupportedProtocolVersion, response: &[u8], most: usize) {
        for _ in 0..10 {
            if let Poll::Ready(accepted) = self.outside.accept(self.listener) {
                let raw = Raw::server(version);
                let io = accepted.unwrap().0;
                self.origin = Some(Origin { io, raw, sent: 0, most, before: 0 });
            }
            if let Some(origin) = &mut self.origin {
                origin.go_on(&mut self.outside, response);
            }
            self.settle();
        }
    }

    /// Sends a request within TLS, by a client that offers a protocol. Returns the client, the content
    /// that it has received, and true if the stream has ended.
    fn converse(&mut self, protocol: &[u8]) -> (Raw, String, bool) {
        let io = self.outside.connect(TLS.parse().unwrap(), self.owner).unwrap();
        let (mut client, mut content, mut has_asked) =
            (Raw::client_of(protocol), Vec::new(), false);
        for _ in 0..10 {
            if !client.tls.is_handshaking() && !std::mem::replace(&mut has_asked, true) {
                client.write(STORED.as_bytes());
            }
            client.queue();
            self.settle();
            if !client.out.is_empty() {
                let _ = self.outside.send(io, &[IoSlice::new(&client.out)]);
                client.out.clear();
            }
            self.settle();
            let mut bytes = Vec::with_capacity(10_000);
            match self.outside.recv(io, &mut bytes) {
                Poll::Ready(Ok(1..)) => client.read(&bytes, &mut content),
                Poll::Ready(_) => return (client, String::from_utf8(content).unwrap(), true),
                Poll::Pending => {}
            }
        }
        (client, String::from_utf8(content).unwrap(), false)
    }

    /// Returns what a client has received, and true if its stream has ended.
    fn received(&mut self, io: SocketId) -> (String, bool) {
        let mut bytes = Vec::with_capacity(10_000);
        let mut ended = false;
        while let Poll::Ready(received) = self.outside.recv(io, &mut bytes) {
            ended = !matches!(received, Ok(1..));
            if ended {
                break;
            }
        }
        (String::from_utf8(bytes).unwrap(), ended)
    }
}

impl Origin {
    fn go_on(&mut self, reactor: &mut Reactor<()>, response: &[u8]) {
        let mut bytes = Vec::with_capacity(10_000);
        let mut request = Vec::new();
        if let Poll::Ready(Ok(1..)) = reactor.recv(self.io, &mut bytes) {
            self.raw.read(&bytes, &mut request);
        }
        self.raw.queue();
        if !request.is_empty() {
            self.before = self.sent + self.raw.out.len();
            self.raw.write(response);
            if !response.starts_with(WITH_LENGTH) {
                self.raw.end();
            }
        }
        let more = self.raw.out.len().min(self.most - self.sent);
        if more > 0 {
            assert!(reactor.send(self.io, &[IoSlice::new(&self.raw.out[..more])]).is_ready());
            self.raw.out.clear();
            self.sent += more;
        }
        if self.sent == self.most {
            let _ = reactor.shutdown(self.io);
        }
    }
}

/// Fetches a response that ends with the stream, of which `most` bytes arrive. Returns the stage, the
/// client's part, and the answer of the cache alone.
fn fetch(version: &'static SupportedProtocolVersion, most: usize) -> (Stage, String, String) {
    let mut stage = Stage::new();
    let client = stage.ask(REQUEST);
    stage.serve(version, &[HEAD, CONTENT].concat(), most);
    let (received, _) = stage.received(client);
    let other = stage.ask(STORED);
    let (stored, _) = stage.received(other);
    (stage, received, stored)
}

/// Returns true if the chunked content is whole.
fn is_whole(response: &str) -> bool {
    response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n0\r\n\r\n")
}

#[test]
fn response_that_is_cut_at_any_byte_is_neither_whole_nor_stored() {
    for version in VERSIONS {
        let (stage, received, stored) = fetch(version, usize::MAX);
        assert!(is_whole(&received), "{received}");
        assert!(stored.starts_with("HTTP/1.1 200 ") && stored.contains("; hit"), "{stored}");
        let Origin { before, sent: all, .. } = stage.origin.unwrap();
        assert!(all - before > HEAD.len() + CONTENT.len());
        let handshake = (0..before).step_by(50);
        for most in handshake.chain(before..all) {
            let (_, received, stored) = fetch(version, most);
            assert!(!is_whole(&received), "{version:?} at {most} of {all}: {received}");
            assert!(stored.starts_with("HTTP/1.1 504 "), "{version:?} at {most}: {stored}");
            assert!(received.starts_with("HTTP/1.1 "), "{most}: {received}");
        }
        let (_, received, stored) = fetch(version, all);
        assert!(is_whole(&received) && stored.contains("; hit"), "{received} {stored}");
    }
}

#[test]
fn idle_connection_is_reused_after_a_key_update() {
    let mut stage = Stage::new();
    let here: IpAddr = "203.0.113.1".parse().unwrap();
    for round in 0..3 {
        let client = stage.ask(REQUEST);
        stage.serve(VERSIONS[0], WITH_LENGTH, usize::MAX);
        let (received, _) = stage.received(client);
        assert!(received.ends_with("ok"), "{received}");
        assert_eq!((stage.network.connects(here), stage.worker.idle_connections()), (1, 1));
        let origin = stage.origin.as_mut().unwrap();
        if round == 0 {
            origin.raw.tls.refresh_traffic_keys().unwrap();
        }
        origin.go_on(&mut stage.outside, WITH_LENGTH);
        stage.settle();
    }
}

#[test]
fn idle_connection_that_receives_content_or_its_end_is_not_reused() {
    for end in [true, false] {
        let mut stage = Stage::new();
        let client = stage.ask(REQUEST);
        stage.serve(VERSIONS[0], WITH_LENGTH, usize::MAX);
        assert!(stage.received(client).0.ends_with("ok"));
        assert_eq!(stage.worker.idle_connections(), 1);
        let origin = stage.origin.as_mut().unwrap();
        if end {
            origin.raw.end();
        } else {
            origin.raw.write(b"stray");
        }
        origin.go_on(&mut stage.outside, WITH_LENGTH);
        stage.settle();
        assert_eq!(stage.worker.idle_connections(), 0);
        let client = stage.ask(REQUEST);
        stage.serve(VERSIONS[0], WITH_LENGTH, usize::MAX);
        assert!(stage.received(client).0.ends_with("ok"));
    }
}

#[test]
fn client_without_certificate_is_served_by_no_protocol() {
    let mut stage = Stage::new();
    let (client, content, has_ended) = stage.converse(b"http/1.1");
    assert!(content.is_empty() && has_ended);
    assert_eq!(client.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    // An authority that checks a name completes its handshake, and its connection ends (RFC 8737).
    let (client, content, has_ended) = stage.converse(b"acme-tls/1");
    assert!(!client.tls.is_handshaking());
    assert_eq!(client.tls.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert!(content.is_empty() && has_ended, "{content}");
}

#[test]
fn listener_for_tls_never_serves_in_the_clear() {
    let mut stage = Stage::new();
    let settings = Settings { server_tls: None, ..stage.worker.settings().as_ref().clone() };
    stage.worker.command(Command::Reload(settings.into()), &mut stage.proxy);
    let io = stage.outside.connect(TLS.parse().unwrap(), stage.owner).unwrap();
    stage.settle();
    let _ = stage.outside.send(io, &[IoSlice::new(STORED.as_bytes())]);
    stage.settle();
    assert_eq!(stage.received(io), (String::new(), true));
}
