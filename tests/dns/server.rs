//! A name server on the simulated network, with configurable misbehaviour.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor, SocketId, Token};

use crate::write::{A, AAAA, NXDOMAIN, Written, question_of};

/// The behaviour of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Right,
    /// Ignores all queries.
    Silent,
    /// Answers with this code.
    Code(u16),
    /// Truncates all responses over UDP.
    Cut,
    /// Repeats the question in lower case.
    LowerCase,
    /// Answers queries with EDNS with this code, or not at all.
    NoEdns(Option<u16>),
    /// Answers NXDOMAIN to AAAA queries for names without an IPv6 address.
    NoIpv6,
}

struct Socket;

impl Driven for Socket {
    const KIND: u8 = 0;
}

/// The server and its host's reactor.
pub(crate) struct Server {
    pub(crate) reactor: Reactor<()>,
    pub(crate) zone: Zone,
}

/// The server's records, its behaviour, and the queries it received.
pub(crate) struct Zone {
    token: Token,
    datagrams: SocketId,
    listener: SocketId,
    streams: Vec<Stream>,
    /// The records of each name.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// The records that replace a name's records after its first A query.
    pub(crate) then: BTreeMap<String, Vec<String>>,
    pub(crate) manner: Manner,
    /// Record type whose responses are delayed, and the delay.
    pub(crate) slow: Option<(u16, Duration)>,
    /// Delayed responses.
    later: Vec<(Instant, SocketAddr, Vec<u8>)>,
    /// Queries received: name, type, true for TCP, and source address.
    pub(crate) heard: Vec<(String, u16, bool, SocketAddr)>,
    /// The messages of queries received as datagrams.
    pub(crate) queries: Vec<Vec<u8>>,
}

impl Server {
    pub(crate) fn new(network: &Network, address: SocketAddr, faults: Faults) -> Self {
        let mut reactor = network.reactor(address.ip(), faults);
        let token = Arena::new().insert(Socket).token();
        let zone = Zone {
            token,
            datagrams: reactor.bind_datagrams(address, token).unwrap(),
            listener: reactor.listen(address, token).unwrap(),
            streams: Vec::new(),
            names: BTreeMap::new(),
            then: BTreeMap::new(),
            manner: Manner::Right,
            slow: None,
            later: Vec::new(),
            heard: Vec::new(),
            queries: Vec::new(),
        };
        Self { reactor, zone }
    }

    /// Closes the datagram socket: the port is unreachable from now on.
    pub(crate) fn end(&mut self) {
        self.reactor.close(self.zone.datagrams);
    }

    /// Refuses TCP connections from now on.
    pub(crate) fn refuse_connections(&mut self) {
        self.reactor.close(self.zone.listener);
    }

    /// Adds a record: `NAME TTL KIND VALUE`.
    pub(crate) fn add(&mut self, line: &str) {
        let name = line.split(' ').next().unwrap().to_owned();
        self.zone.names.entry(name).or_default().push(line.to_owned());
    }

    pub(crate) fn turn(&mut self) -> bool {
        !self.reactor.turn(&mut self.zone, Some(Duration::ZERO)).unwrap().is_idle()
    }
}

impl Zone {
    fn answer(&mut self, query: &[u8], tcp: bool, from: SocketAddr) -> Option<Vec<u8>> {
        let (name, kind) = question_of(query);
        self.heard.push((name.clone(), kind, tcp, from));
        let mut response = Written::to(query);
        match self.manner {
            Manner::Silent => return None,
            Manner::Code(code) => return Some(response.code(code).bytes()),
            Manner::Cut if !tcp => {
                response.flags |= 0x0200;
                return Some(response.bytes());
            }
            Manner::NoEdns(code) if query[11] == 1 => {
                return code.map(|code| response.code(code).bytes());
            }
            Manner::LowerCase => response.question.make_ascii_lowercase(),
            Manner::Cut | Manner::Right | Manner::NoEdns(_) | Manner::NoIpv6 => {}
        }
        let Some(lines) = self.names.get(&name) else {
            return Some(response.code(NXDOMAIN).authority(&["test 60 SOA 30"]).bytes());
        };
        let wanted = match kind {
            A => " A ",
            AAAA => " AAAA ",
            _ => " ",
        };
        let fits = |line: &&String| line.contains(wanted) || line.contains(" CNAME ");
        let lines: Vec<&str> = lines.iter().filter(fits).map(String::as_str).collect();
        response = match lines.is_empty() {
            true if self.manner == Manner::NoIpv6 && kind == AAAA => {
                response.code(NXDOMAIN).authority(&["test 60 SOA 30"])
            }
            true => response.authority(&["test 60 SOA 30"]),
            false => response.answers(&lines),
        };
        if kind == A
            && let Some(then) = self.then.remove(&name)
        {
            self.names.insert(name, then);
        }
        Some(response.bytes())
    }

    fn serve_datagrams(&mut self, reactor: &mut Reactor<()>) {
        let mut query = Vec::with_capacity(2000);
        while let Poll::Ready(from) = reactor.recv_datagram(self.datagrams, &mut query) {
            let from = from.unwrap();
            if let Some(response) = self.answer(&query, false, from) {
                let (_, kind) = question_of(&query);
                let late = self.slow.filter(|slow| slow.0 == kind).map(|slow| slow.1);
                let at = reactor.now().mono + late.unwrap_or_default();
                self.later.push((at, from, response));
            }
            self.queries.push(std::mem::take(&mut query));
            query.reserve(2000);
        }
        let now = reactor.now().mono;
        for (_, to, response) in self.later.extract_if(.., |(at, ..)| *at <= now) {
            let _ = reactor.send_datagram(self.datagrams, &response, Some(to));
        }
        reactor.set_deadline(self.token, self.later.iter().map(|(at, ..)| *at).min());
    }

    fn serve_streams(&mut self, reactor: &mut Reactor<()>) {
        while let Poll::Ready(Ok((io, _))) = reactor.accept(self.listener) {
            reactor.set_owner(io, self.token);
            self.streams.push(Stream { io, received: Vec::new(), unsent: Vec::new() });
        }
        let mut streams = std::mem::take(&mut self.streams);
        streams.retain_mut(|stream| {
            let open = stream.receive(reactor);
            while let Some(query) = stream.query() {
                let from = reactor.local_address(stream.io).unwrap();
                let response = self.answer(&query, true, from).unwrap_or_default();
                stream.unsent.extend(u16::try_from(response.len()).unwrap().to_be_bytes());
                stream.unsent.extend(response);
            }
            stream.send(reactor);
            if !open {
                reactor.close(stream.io);
            }
            open
        });
        self.streams = streams;
    }
}

/// A TCP connection to the server.
struct Stream {
    io: SocketId,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

impl Stream {
    /// Receives available bytes; returns true if the connection is still open.
    fn receive(&mut self, reactor: &mut Reactor<()>) -> bool {
        loop {
            self.received.reserve(2000);
            match reactor.recv(self.io, &mut self.received) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Pending => return true,
                Poll::Ready(_) => return false,
            }
        }
    }

    fn query(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.received.split_first_chunk::<2>()?;
        let query = rest.get(..usize::from(u16::from_be_bytes(*length)))?.to_vec();
        self.received.drain(..2 + query.len());
        Some(query)
    }

    fn send(&mut self, reactor: &mut Reactor<()>) {
        while !self.unsent.is_empty() {
            match reactor.send(self.io, &[IoSlice::new(&self.unsent)]) {
                Poll::Ready(Ok(n)) => drop(self.unsent.drain(..n)),
                _ => return,
            }
        }
    }
}

impl App for Zone {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        if let Event::Drive(..) = event {
            self.serve_datagrams(reactor);
            self.serve_streams(reactor);
        }
    }
}
