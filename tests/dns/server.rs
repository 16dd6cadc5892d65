//! A name server on the simulated network, right or not as it is told.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor, SocketId, Token};

use crate::write::{A, AAAA, NXDOMAIN, Written, question_of};

/// What the server does with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Right,
    /// Hears nothing.
    Silent,
    /// Says this code.
    Code(u16),
    /// Sends nothing but the beginning over UDP.
    Cut,
    /// Repeats names in lower case.
    LowerCase,
    /// Says this code to queries with EDNS, or nothing.
    NoEdns(Option<u16>),
    /// Says of every name without an IPv6 address that it does not exist.
    NoIpv6,
}

struct Socket;

impl Driven for Socket {
    const KIND: u8 = 0;
}

/// The server, and the host it is on.
pub(crate) struct Server {
    pub(crate) reactor: Reactor<()>,
    pub(crate) zone: Zone,
}

/// What the server knows, and what it has heard.
pub(crate) struct Zone {
    token: Token,
    datagrams: SocketId,
    listener: SocketId,
    streams: Vec<Stream>,
    /// Lines of each name.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// What each name has once its IPv4 address was asked for.
    pub(crate) then: BTreeMap<String, Vec<String>>,
    pub(crate) manner: Manner,
    /// A kind of addresses of which it speaks late.
    pub(crate) slow: Option<(u16, Duration)>,
    /// Responses that are sent later.
    later: Vec<(Instant, SocketAddr, Vec<u8>)>,
    /// What was asked for, over what, and from where.
    pub(crate) heard: Vec<(String, u16, bool, SocketAddr)>,
    /// The queries that came as datagrams.
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

    /// Nobody is there any more.
    pub(crate) fn end(&mut self) {
        self.reactor.close(self.zone.datagrams);
    }

    /// From now on, what comes as a stream is refused.
    pub(crate) fn refuse_connections(&mut self) {
        self.reactor.close(self.zone.listener);
    }

    /// `NAME TTL KIND VALUE`.
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

/// A connection to the server.
struct Stream {
    io: SocketId,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

impl Stream {
    /// Whether more may come.
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
