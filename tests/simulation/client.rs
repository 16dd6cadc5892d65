//! Scripted clients: they send requests, sometimes abort, and check every response.

use std::borrow::Cow;
use std::io::IoSlice;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::http::{ClientCodec, ClientEvent, HeadLimits, Method, Name, ResponseHead};
use tidegate::reactor::sim::Rng;
use tidegate::reactor::{Driven, Id, Reactor, SocketId};
use tidegate::tls::Session;

use crate::ask::{Ask, Run, User, is_busy, is_coded_here};
use crate::decoding::decode;
use crate::plan::{Plan, Resources};

/// Outcomes of the requests of all clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) whole: usize,
    /// Responses cut short.
    pub(crate) cut: usize,
    /// Connections closed before a response began.
    pub(crate) unanswered: usize,
    pub(crate) refused: usize,
    pub(crate) left: usize,
    pub(crate) hits: usize,
    pub(crate) collapsed: usize,
    pub(crate) tunnels: usize,
    /// Responses that demand authentication.
    pub(crate) challenged: usize,
    /// Whole responses to clients that speak TLS, and those fetched over TLS.
    pub(crate) secure_clients: usize,
    pub(crate) secure_origins: usize,
    /// Whole responses that the origin has ended early, by `close_notify`.
    pub(crate) ended_early: usize,
    /// Whole responses of a reverse proxy, and those that say that a member is busy.
    pub(crate) of_sites: usize,
    /// Responses of an application.
    pub(crate) of_applications: usize,
    pub(crate) busy: usize,
    /// Whole responses that the proxy has compressed.
    pub(crate) coded: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        self.cut += other.cut;
        self.unanswered += other.unanswered;
        self.refused += other.refused;
        self.left += other.left;
        self.hits += other.hits;
        self.collapsed += other.collapsed;
        self.tunnels += other.tunnels;
        self.challenged += other.challenged;
        self.secure_clients += other.secure_clients;
        self.secure_origins += other.secure_origins;
        self.ended_early += other.ended_early;
        self.of_sites += other.of_sites;
        self.of_applications += other.of_applications;
        self.busy += other.busy;
        self.coded += other.coded;
    }
}

pub(crate) struct SimClient {
    pub(crate) id: Id<Self>,
    pub(crate) io: SocketId,
    asks: Vec<Ask>,
    /// Index of the request in flight.
    current: usize,
    output: Vec<u8>,
    input: Vec<u8>,
    codec: ClientCodec,
    head: Option<Box<ResponseHead>>,
    content: Vec<u8>,
    /// Aborts after this many bytes.
    patience: usize,
    resets: bool,
    /// Reads nothing before this time.
    reads_from: Instant,
    half_closes: bool,
    /// The TLS layer for when the connection is established.
    layer: Option<Box<Session>>,
    is_secure: bool,
    is_connected: bool,
}

impl Driven for SimClient {
    const KIND: u8 = 10;
}

enum Flow {
    Again,
    Wait,
    Done,
}

impl SimClient {
    /// Creates a client of a proxy. `layer` is for a client that speaks TLS.
    pub(crate) fn new(
        id: Id<Self>,
        (io, layer): (SocketId, Option<Box<Session>>),
        plans: &[Plan],
        run: Run,
        rng: &mut Rng,
        now: Instant,
    ) -> Self {
        let user = if run.users { User::draw(rng) } else { User::NotRequired };
        let tunnel = rng.percent(10) && !run.is_reverse;
        let count = if tunnel { 1 } else { 1 + rng.below(4) };
        let mut asks: Vec<Ask> = (0..count)
            .map(|_| match tunnel {
                true => Ask::tunnel(rng).of(user, rng),
                false => Ask::draw(plans, run, rng).of(user, rng),
            })
            .collect();
        let pipelined = rng.percent(30);
        let mut output = std::mem::take(&mut asks[0].bytes);
        if pipelined {
            asks.iter_mut().for_each(|ask| output.append(&mut ask.bytes));
        }
        let slow = if rng.percent(15) { rng.next() % 5000 } else { 0 };
        Self {
            id,
            io,
            codec: ClientCodec::new(asks[0].method),
            half_closes: tunnel || (pipelined && rng.percent(20)),
            asks,
            current: 0,
            output,
            input: Vec::new(),
            head: None,
            content: Vec::new(),
            patience: if rng.percent(15) { rng.below(100_000) } else { usize::MAX },
            resets: rng.percent(50),
            reads_from: now + Duration::from_millis(slow),
            is_secure: layer.is_some(),
            is_connected: false,
            layer,
        }
    }

    /// Returns false once the client has finished.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor<()>,
        resources: &Resources,
        tally: &mut Tally,
    ) -> bool {
        loop {
            match self.go_on(reactor, resources, tally) {
                Flow::Again => {}
                Flow::Wait => return true,
                Flow::Done => break,
            }
        }
        if self.resets {
            reactor.reset(self.io);
        } else {
            reactor.close(self.io);
        }
        false
    }

    fn go_on(
        &mut self,
        reactor: &mut Reactor<()>,
        resources: &Resources,
        tally: &mut Tally,
    ) -> Flow {
        if !self.is_connected {
            match reactor.connected(self.io) {
                Poll::Ready(Ok(())) => self.is_connected = true,
                Poll::Ready(Err(_)) => return Flow::Done,
                Poll::Pending => return Flow::Wait,
            }
        }
        self.layer.take().into_iter().for_each(|layer| reactor.secure(self.io, layer));
        match reactor.handshake(self.io) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => {
                tally.unanswered += 1;
                return Flow::Done;
            }
            Poll::Pending => return Flow::Wait,
        }
        self.send(reactor);
        if reactor.now().mono < self.reads_from {
            reactor.set_deadline(self.id.token(), Some(self.reads_from));
            return Flow::Wait;
        }
        if self.input.len() + self.content.len() > self.patience {
            tally.left += 1;
            return Flow::Done;
        }
        match self.understand(resources, tally) {
            Flow::Wait => self.receive(reactor, resources, tally),
            flow => flow,
        }
    }

    fn send(&mut self, reactor: &mut Reactor<()>) {
        while !self.output.is_empty()
            && let Poll::Ready(sent) = reactor.send(self.io, &[IoSlice::new(&self.output)])
        {
            match sent {
                Ok(n) => drop(self.output.drain(..n)),
                Err(_) => self.output.clear(), // a response may have arrived nevertheless
            }
        }
        if self.output.is_empty() && std::mem::take(&mut self.half_closes) {
            let _ = reactor.shutdown(self.io);
        }
    }

    fn receive(
        &mut self,
        reactor: &mut Reactor<()>,
        resources: &Resources,
        tally: &mut Tally,
    ) -> Flow {
        self.input.reserve(8192);
        match reactor.recv(self.io, &mut self.input) {
            Poll::Pending => return Flow::Wait,
            Poll::Ready(Ok(n)) if n > 0 => return Flow::Again,
            Poll::Ready(Ok(_)) if self.in_tunnel() || self.codec.end_of_stream().is_ok() => {
                self.judge_whole(resources, tally);
            }
            Poll::Ready(_) if self.head.is_some() => {
                self.judge_prefix(&self.decoded(false), resources);
                tally.cut += 1;
            }
            Poll::Ready(_) => tally.unanswered += 1,
        }
        Flow::Done
    }

    /// Handles the next event of the input.
    fn understand(&mut self, resources: &Resources, tally: &mut Tally) -> Flow {
        if self.in_tunnel() {
            self.content.append(&mut self.input);
            return Flow::Wait;
        }
        let decoded = self.codec.decode(&self.input, &HeadLimits::default());
        let (used, event) = decoded.expect("the proxy sent a malformed response");
        let progress = used > 0 || event.is_some();
        let ended = matches!(event, Some(ClientEvent::End(_)));
        match event {
            Some(ClientEvent::Interim(head)) => assert_eq!(head.status().code(), 103),
            Some(ClientEvent::Response(head)) => self.head = Some(head),
            Some(ClientEvent::Content(range)) => {
                self.content.extend_from_slice(&self.input[range]);
                let head = self.head.as_ref().expect("content without a head");
                if !is_coded_here(head) {
                    self.judge_prefix(&self.content, resources);
                }
            }
            Some(ClientEvent::End(_)) | None => {}
        }
        self.input.drain(..used);
        if ended {
            self.judge_whole(resources, tally);
            return self.next_ask();
        }
        if progress { Flow::Again } else { Flow::Wait }
    }

    /// Returns true if the connection is a tunnel.
    fn in_tunnel(&self) -> bool {
        let connected = self.head.as_ref().is_some_and(|head| head.status().is_success());
        connected && self.asks[self.current].method == Method::Connect
    }

    fn judge_prefix(&self, content: &[u8], resources: &Resources) {
        let head = self.head.as_ref().expect("content without a head");
        self.asks[self.current].judge_prefix(head, content, &resources.plans);
    }

    /// Returns the content as the origin has sent it. That of a `whole` response has to be complete in the
    /// coding of the proxy.
    fn decoded(&self, whole: bool) -> Cow<'_, [u8]> {
        let head = self.head.as_deref().filter(|head| is_coded_here(head));
        let Some(head) = head.filter(|_| !self.content.is_empty()) else {
            return Cow::Borrowed(&self.content);
        };
        let coding = head.fields().only(Name::ContentEncoding).unwrap_or_default();
        let coding = std::str::from_utf8(coding).unwrap();
        let (content, is_whole) = decode(coding, &self.content).unwrap();
        assert!(is_whole || !whole, "a response that looks complete is not: {head:?}");
        Cow::Owned(content)
    }

    fn judge_whole(&self, resources: &Resources, tally: &mut Tally) {
        let head = self.head.as_ref().expect("an end without a head");
        let ask = &self.asks[self.current];
        let content = self.decoded(true);
        let served = ask.judge_whole(head, &content, resources);
        tally.coded += usize::from(served && is_coded_here(head) && !content.is_empty());
        let status = head.fields().all(Name::CacheStatus).last().unwrap_or_default();
        let says = |word: &[u8]| status.windows(word.len()).any(|window| window == word);
        tally.whole += usize::from(served);
        tally.refused += usize::from(!served);
        tally.hits += usize::from(says(b"; hit"));
        tally.collapsed += usize::from(says(b"; collapsed"));
        tally.challenged += usize::from(head.status().code() == 407);
        tally.tunnels += usize::from(ask.method == Method::Connect);
        tally.secure_clients += usize::from(served && self.is_secure);
        tally.of_sites += usize::from(served && resources.are_of_site);
        tally.of_applications += usize::from(served && resources.are_of_application);
        tally.busy += usize::from(is_busy(head));
        let ended_early = ask.is_ended_early(content.len(), &resources.plans);
        tally.ended_early += usize::from(served && ended_early);
        tally.secure_origins += usize::from(served && ask.is_secure(&resources.plans));
    }

    fn next_ask(&mut self) -> Flow {
        self.current += 1;
        self.content.clear();
        self.head = None;
        let Some(ask) = self.asks.get_mut(self.current) else { return Flow::Done };
        self.output.append(&mut ask.bytes);
        self.codec = ClientCodec::new(ask.method);
        Flow::Again
    }
}
