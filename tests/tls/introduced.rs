//! PROXY headers: at the start of client connections, before TLS and HTTP, and of connections to origins.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::time::Duration;

use tidegate::proxy::{
    Environment, ListenerKind, ListenerSettings, LogFormat, LogSink, Mail, OriginGroup,
    PathPattern, ReclaimAtOnce, Settings, Site, SiteRoute, Sites, Worker,
};
use tidegate::proxy_protocol::{Parsed, Version, parse, write};
use tidegate::reactor::sim::{Faults, Network, explore};
use tidegate::reactor::{
    Arena, Driven, LoopStats, NameSource, NameSources, Reactor, SocketId, Token,
};
use tidegate::tls::ServerLayer;

use crate::host::{NoPasswords, settle};
use crate::pki;
use crate::raw::Raw;

/// The address of the proxy in front and of the origin.
const OUTSIDE: &str = "198.51.100.1";
const CLIENT: &str = "192.0.2.7:4711";
const PLAIN: &str = "203.0.113.1:80";
const TLS: &str = "203.0.113.1:443";
const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: o.test\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok";

/// Passes log lines on to the test.
#[derive(Debug)]
struct Lines(Sender<String>);

impl LogSink for Lines {
    fn write(&mut self, lines: &mut String) {
        let _ = self.0.send(std::mem::take(lines));
    }

    fn lost(&self) -> u64 {
        0
    }

    fn reopen(&mut self) {}
}

struct Owner;

impl Driven for Owner {
    const KIND: u8 = 0;
}

struct Stage {
    network: Network,
    proxy: Reactor<Mail>,
    worker: Worker,
    outside: Reactor<()>,
    owner: Token,
    listener: SocketId,
    log: Receiver<String>,
}

/// How a stage differs from the usual one.
#[derive(Clone, Copy, Default)]
struct Plan {
    /// True if no proxy is trusted.
    trusts_nobody: bool,
    /// Version of the header that the origin gets.
    out: Option<Version>,
    /// True if the origin speaks TLS.
    origin_tls: bool,
    /// Seed of the proxy's short reads and writes; 0 for none.
    seed: u64,
}

impl Stage {
    fn new(plan: Plan) -> Self {
        let network = Network::new(plan.seed);
        let faults = match plan.seed {
            0 => Faults::NONE,
            _ => Faults { short: 60, would_block: 30, shuffle: true, ..Faults::NONE },
        };
        let mut proxy: Reactor<Mail> = network.reactor("203.0.113.1".parse().unwrap(), faults);
        let mut outside: Reactor<()> = network.reactor(OUTSIDE.parse().unwrap(), Faults::NONE);
        let owner = Arena::new().insert(Owner).token();
        let origin = SocketAddr::new(OUTSIDE.parse().unwrap(), 8000);
        let listener = outside.listen(origin, owner).unwrap();
        let scheme = if plan.origin_tls { "https" } else { "http" };
        let mut group = OriginGroup::of(vec![format!("{scheme}://o.test:8000").parse().unwrap()]);
        group.proxy_protocol = plan.out;
        let route = SiteRoute::to(PathPattern::everything(), group.into());
        let site = Site::new(Vec::new(), vec![route]).unwrap();
        let mut settings = Settings::forward("test");
        settings.service.sites = Some(Arc::new(Sites::new(vec![site]).unwrap()));
        settings.origin_tls = Some(pki::origin_tls(&network.clock()));
        settings.server_tls = Some(pki::server_tls(&network.clock()));
        settings.log = Some(LogFormat::Json);
        if !plan.trusts_nobody {
            settings.trusted_proxies = vec!["198.51.100.0/24".parse().unwrap()];
        }
        settings.name_sources = NameSources {
            hosts: NameSource::Text("198.51.100.1 o.test\n".into()),
            resolv_conf: NameSource::Text(String::new()),
            ..NameSources::default()
        };
        let (writer, log) = channel();
        let environment = Environment {
            resolver: None,
            verifier: Box::new(NoPasswords),
            jobs: Box::new(tidegate::proxy::RunAtOnce),
            reclaimer: Box::new(ReclaimAtOnce),
            addresses: Some(vec![IpAddr::from([203, 0, 113, 1])]),
            log: Box::new(Lines(writer)),
            secret: [1, 2],
        };
        let mut worker = Worker::new(settings, environment, 100);
        for (kind, address) in [(ListenerKind::Plain, PLAIN), (ListenerKind::Tls, TLS)] {
            let settings = ListenerSettings { proxy_protocol: true, ..kind.into() };
            worker.listen_as(settings, &mut proxy, address.parse::<SocketAddr>().unwrap()).unwrap();
        }
        Self { network, proxy, worker, outside, owner, listener, log }
    }

    fn settle(&mut self) {
        settle(&self.network, &mut self.proxy, &mut self.worker, &mut self.outside);
    }

    /// Lets `time` pass, from deadline to deadline.
    fn wait(&mut self, time: Duration) {
        let end = self.proxy.now().mono + time;
        while let Some(next) = self.proxy.next_deadline().filter(|next| *next <= end) {
            self.network.clock().advance_to(next);
            self.settle();
        }
        self.network.clock().advance_to(end);
        self.settle();
    }

    /// Connects to a listener, and sends `parts` one after the other.
    fn connect(&mut self, listener: &str, parts: &[&[u8]]) -> SocketId {
        let io = self.outside.connect(listener.parse().unwrap(), self.owner).unwrap();
        self.settle();
        assert!(self.outside.connected(io).is_ready());
        parts.iter().for_each(|part| self.send(io, part));
        io
    }

    fn send(&mut self, io: SocketId, bytes: &[u8]) {
        if !bytes.is_empty() {
            assert!(self.outside.send(io, &[IoSlice::new(bytes)]).is_ready());
        }
        self.settle();
    }

    /// Returns what has arrived, and true if the stream has ended.
    fn received(&mut self, io: SocketId) -> (Vec<u8>, bool) {
        let mut bytes = Vec::with_capacity(10_000);
        loop {
            match self.outside.recv(io, &mut bytes) {
                Poll::Pending => return (bytes, false),
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return (bytes, true),
            }
        }
    }

    /// Accepts a connection of the proxy to the origin.
    fn accept(&mut self) -> SocketId {
        let Poll::Ready(accepted) = self.outside.accept(self.listener) else {
            panic!("no connection to the origin");
        };
        accepted.unwrap().0
    }

    /// Answers the request on a new connection of the proxy to the origin. Returns the request.
    fn serve(&mut self) -> String {
        let io = self.accept();
        self.settle();
        let (request, _) = self.received(io);
        self.send(io, RESPONSE);
        String::from_utf8(request).unwrap()
    }

    /// Returns the lines of the log so far.
    fn log(&self) -> String {
        self.log.try_iter().collect()
    }

    fn metric(&self, name: &str) -> Option<String> {
        let text = self.worker.stats(&LoopStats::default(), self.proxy.now()).prometheus();
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }
}

fn header(version: Version, source: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, version, source.parse().unwrap(), PLAIN.parse().unwrap());
    out
}

/// Returns a header of version 2 that states whether the client uses TLS.
fn header_about_tls(is_used: bool) -> Vec<u8> {
    let mut out = header(Version::V2, CLIENT);
    out.extend([0x20, 0, 5, u8::from(is_used), 0, 0, 0, 1]);
    out[15] += 8;
    assert!(matches!(parse(&out), Ok(Parsed::Header { .. })));
    out
}

#[track_caller]
fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn header_before_a_request_is_split_at_any_byte() {
    for version in [Version::V1, Version::V2] {
        let sent = [&header(version, CLIENT), REQUEST].concat();
        for at in 0..sent.len() {
            let mut stage = Stage::new(Plan::default());
            let (one, other) = sent.split_at(at);
            let client = stage.connect(PLAIN, &[one, other]);
            let request = stage.serve();
            expect(&request, &["GET /a ", "X-Forwarded-For: 192.0.2.7\r\n", "proto=http\r\n"]);
            let (response, _) = stage.received(client);
            assert!(response.ends_with(b"\r\n\r\nok"), "{version:?} at {at}");
            expect(&stage.log(), &["\"client\":\"192.0.2.7\"", "\"status\":200"]);
        }
    }
}

/// Sends a header and then TLS, of which the first two pieces end at `at`. Returns the log.
fn greet(version: Version, at: usize) -> String {
    let mut stage = Stage::new(Plan::default());
    let mut client = Raw::client_of(b"http/1.1");
    client.queue();
    let hello = std::mem::take(&mut client.out);
    let sent = [header(version, CLIENT), hello].concat();
    let (one, other) = sent.split_at(at.min(sent.len()));
    let io = stage.connect(TLS, &[one, other]);
    let (mut content, mut has_asked) = (Vec::new(), false);
    for _ in 0..4 {
        let (bytes, _) = stage.received(io);
        client.read(&bytes, &mut content);
        client.queue();
        if !client.tls.is_handshaking() && !std::mem::replace(&mut has_asked, true) {
            client.write(REQUEST);
        }
        let bytes = std::mem::take(&mut client.out);
        stage.send(io, &bytes);
        if has_asked && let Poll::Ready(accepted) = stage.outside.accept(stage.listener) {
            let origin = accepted.unwrap().0;
            stage.settle();
            let request = String::from_utf8(stage.received(origin).0).unwrap();
            expect(&request, &["X-Forwarded-For: 192.0.2.7\r\n", "proto=https\r\n"]);
            stage.send(origin, RESPONSE);
        }
    }
    assert!(content.ends_with(b"\r\n\r\nok"), "{version:?} at {at}: {}", content.escape_ascii());
    stage.log()
}

#[test]
fn header_before_tls_is_split_at_any_byte_of_it_and_of_the_first_record() {
    for version in [Version::V1, Version::V2] {
        let length = header(version, CLIENT).len();
        for at in (0..length + 12).chain([length + 100, usize::MAX]) {
            expect(&greet(version, at), &["\"client\":\"192.0.2.7\"", "\"tls_version\":"]);
        }
    }
}

#[test]
fn header_without_addresses_leaves_the_peer_as_the_client() {
    for begin in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stage = Stage::new(Plan::default());
        stage.connect(PLAIN, &[begin, REQUEST]);
        expect(&stage.serve(), &["X-Forwarded-For: 198.51.100.1\r\n"]);
    }
    let mapped = b"PROXY TCP6 ::ffff:c000:0207 ::1 1 2\r\n";
    let mut stage = Stage::new(Plan::default());
    stage.connect(PLAIN, &[mapped, REQUEST]);
    expect(&stage.serve(), &["X-Forwarded-For: 192.0.2.7\r\n"]);
}

#[test]
fn trusted_header_states_that_the_client_uses_tls() {
    for (is_used, scheme) in [(true, "https"), (false, "http")] {
        let mut stage = Stage::new(Plan::default());
        stage.connect(PLAIN, &[&header_about_tls(is_used), REQUEST]);
        let request = stage.serve();
        expect(&request, &[&format!("X-Forwarded-Proto: {scheme}\r\n")]);
        expect(&stage.log(), &[&format!("\"url\":\"{scheme}://o.test/a\"")]);
    }
}

#[test]
fn stranger_is_refused_whatever_it_sends() {
    for sent in [&header(Version::V2, CLIENT)[..], b"", REQUEST] {
        let mut stage = Stage::new(Plan { trusts_nobody: true, ..Plan::default() });
        let client = stage.connect(PLAIN, &[]);
        assert_eq!(stage.received(client), (Vec::new(), true));
        let _ = stage.outside.send(client, &[IoSlice::new(sent)]);
        stage.settle();
        let reason = "\"reason\":\"proxy-header-untrusted\"";
        expect(&stage.log(), &["\"client\":\"198.51.100.1\"", "\"result\":\"DENIED\"", reason]);
        let denied = stage.metric("tidegate_denials_total{rule=\"proxy-header-untrusted\"}");
        assert_eq!(denied.as_deref(), Some("1"));
        assert!(stage.worker.is_empty());
    }
}

#[test]
fn connection_without_a_valid_header_is_closed() {
    for listener in [PLAIN, TLS] {
        for (sent, reason) in [
            (REQUEST, "\"url\":\"GET /a HTTP/1.1\""),
            (b"\x16\x03\x01\x02\0", "\"url\":\"-\""),
            (b"PROXY TCP4 192.0.2.007", "\"url\":\"PROXY TCP4 192.0.2.007\""),
            (b"\r\n\r\n\0\r\nQUIT\n\x31", "\"url\":\"\""),
        ] {
            let mut stage = Stage::new(Plan::default());
            let client = stage.connect(listener, &[sent]);
            assert_eq!(stage.received(client), (Vec::new(), true));
            let log = stage.log();
            expect(&log, &["\"result\":\"DENIED\"", "\"reason\":\"proxy-header\""]);
            assert!(log.contains(reason) || log.contains("\"url\":\"-\""), "{log}");
            let denied = stage.metric("tidegate_denials_total{rule=\"proxy-header\"}");
            assert_eq!(denied.as_deref(), Some("1"));
        }
    }
}

#[test]
fn header_that_is_late_or_ends_early_is_recorded() {
    for begun in [&b""[..], b"PROXY TCP4 "] {
        let mut stage = Stage::new(Plan::default());
        let client = stage.connect(TLS, &[begun]);
        stage.wait(stage.worker.settings().limits.header_timeout);
        assert_eq!(stage.received(client), (Vec::new(), true));
        expect(&stage.log(), &["\"reason\":\"header-timeout\""]);
    }
    for (begun, reason) in [(&b""[..], ""), (b"PROXY TCP4 ", "\"reason\":\"client-gone\"")] {
        let mut stage = Stage::new(Plan::default());
        let client = stage.connect(PLAIN, &[begun]);
        stage.outside.close(client);
        stage.settle();
        let log = stage.log();
        assert!(log.contains(reason) && (log.is_empty() == reason.is_empty()), "{log}");
        assert!(stage.worker.is_empty());
    }
}

#[test]
fn origin_gets_a_header_on_each_connection_and_none_is_reused() {
    for version in [Version::V1, Version::V2] {
        let mut stage = Stage::new(Plan { out: Some(version), ..Plan::default() });
        let client = stage.connect(PLAIN, &[&header(Version::V1, CLIENT)]);
        for _ in 0..2 {
            stage.send(client, REQUEST);
            let origin = stage.accept();
            stage.settle();
            let (sent, _) = stage.received(origin);
            let expected = [&header(version, CLIENT)[..], b"GET /a HTTP/1.1\r\n"].concat();
            assert!(sent.starts_with(&expected), "{}", sent.escape_ascii());
            stage.send(origin, RESPONSE);
            assert!(stage.received(client).0.ends_with(b"\r\n\r\nok"));
            assert_eq!((stage.received(origin).1, stage.worker.idle_connections()), (true, 0));
        }
    }
}

#[test]
fn origin_is_told_the_client_behind_trusted_proxies_without_a_port() {
    let mut stage = Stage::new(Plan { out: Some(Version::V1), ..Plan::default() });
    let request = b"GET /a HTTP/1.1\r\nHost: o.test\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
    stage.connect(PLAIN, &[b"PROXY UNKNOWN\r\n", request]);
    let origin = stage.accept();
    stage.settle();
    let (sent, _) = stage.received(origin);
    assert!(sent.starts_with(b"PROXY TCP4 192.0.2.9 203.0.113.1 0 80\r\nGET "));
}

/// Sends a request to an origin that speaks TLS behind the header.
fn forward(version: Version, seed: u64) {
    let plan = Plan { out: Some(version), origin_tls: true, seed, ..Plan::default() };
    let mut stage = Stage::new(plan);
    let client = stage.connect(PLAIN, &[&header(version, CLIENT), REQUEST]);
    let origin = stage.accept();
    stage.settle();
    let (sent, _) = stage.received(origin);
    let header = header(version, CLIENT);
    let (begin, hello) = sent.split_at(header.len());
    assert_eq!((begin, hello[0]), (&header[..], 22), "a header, then a record of a handshake");
    let tls = pki::server_tls(&stage.network.clock());
    let layer = ServerLayer::with_early(tls, hello.to_vec());
    stage.outside.secure(origin, Box::new(layer));
    for _ in 0..3 {
        let _ = stage.outside.handshake(origin);
        stage.settle();
    }
    let (request, _) = stage.received(origin);
    expect(&String::from_utf8(request).unwrap(), &["GET /a ", "X-Forwarded-For: 192.0.2.7\r\n"]);
    stage.send(origin, RESPONSE);
    assert!(stage.received(client).0.ends_with(b"\r\n\r\nok"));
}

#[test]
fn origin_gets_the_header_before_tls_however_short_reads_and_writes_are() {
    for version in [Version::V1, Version::V2] {
        forward(version, 0);
        explore(1..100, |seed| forward(version, seed));
    }
}
