//! The origin and the clients of a proxy.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::task::Poll;

use tidegate::http::{HeadLimits, Method, RequestHead, ServerCodec, ServerEvent};
use tidegate::reactor::{App, Arena, Driven, Event, Reactor, SocketId, Token, Wake};

struct Peer;

impl Driven for Peer {
    const KIND: u8 = 0;
}

/// End of a client's connection, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

/// A connection.
pub(crate) struct Stream {
    io: SocketId,
    received: Vec<u8>,
    pub(crate) end: Option<End>,
}

/// An origin connection, on which one request after the other is answered.
struct OriginStream {
    stream: Stream,
    codec: ServerCodec,
}

/// The origin and the clients.
pub(crate) struct Peers {
    token: Token,
    listener: SocketId,
    origins: Vec<OriginStream>,
    pub(crate) clients: Vec<Stream>,
    /// Heads of the requests that the origin has received.
    pub(crate) requests: Vec<String>,
    /// True if the origin reads no requests.
    pauses: bool,
}

impl Peers {
    /// Returns an origin that listens at `address`, without clients.
    pub(crate) fn new(reactor: &mut Reactor<()>, address: SocketAddr) -> Self {
        let token = Arena::new().insert(Peer).token();
        Self {
            token,
            listener: reactor.listen(address, token).unwrap(),
            origins: Vec::new(),
            clients: Vec::new(),
            requests: Vec::new(),
            pauses: false,
        }
    }

    /// Connects a client to `address`. Returns its number.
    pub(crate) fn connect(&mut self, reactor: &mut Reactor<()>, address: SocketAddr) -> usize {
        self.clients.push(Stream::new(reactor.connect(address, self.token).unwrap()));
        self.clients.len() - 1
    }

    /// Has the origin read no requests, or read them again.
    pub(crate) fn pause(&mut self, pauses: bool, reactor: &mut Reactor<()>) {
        self.pauses = pauses;
        reactor.wake(self.token);
    }
}

impl App for Peers {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
        while let Poll::Ready(Ok((io, _))) = reactor.accept(self.listener) {
            reactor.set_owner(io, self.token);
            self.origins.push(OriginStream { stream: Stream::new(io), codec: ServerCodec::new() });
        }
        for origin in self.origins.iter_mut().filter(|_| !self.pauses) {
            origin.stream.receive(reactor);
            while let Some(request) = origin.next_request() {
                let head = std::str::from_utf8(request.fields().wire()).unwrap();
                self.requests.push(head.to_owned());
                origin.stream.send(&response_to(&request), reactor);
            }
        }
        self.clients.iter_mut().for_each(|client| client.receive(reactor));
    }
}

/// Returns the origin's response: it is selected by `Accept-Language`, and fresh for a minute.
fn response_to(request: &RequestHead) -> String {
    let mut languages = request.fields().all_named(b"accept-language");
    let language = String::from_utf8_lossy(languages.next().unwrap_or(b"any"));
    let content = if request.method() == Method::Head { "" } else { &language };
    format!(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n\
         Content-Length: {}\r\n\r\n{content}",
        language.len()
    )
}

impl Stream {
    const fn new(io: SocketId) -> Self {
        Self { io, received: Vec::new(), end: None }
    }

    fn receive(&mut self, reactor: &mut Reactor<()>) {
        while self.end.is_none() {
            self.received.reserve(4096);
            match reactor.recv(self.io, &mut self.received) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.end = Some(End::Closed),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => self.end = Some(End::Reset),
            }
        }
    }

    pub(crate) fn send(&self, text: &str, reactor: &mut Reactor<()>) {
        let sent = reactor.send(self.io, &[IoSlice::new(text.as_bytes())]);
        assert!(matches!(sent, Poll::Ready(Ok(n)) if n == text.len()), "{sent:?}");
    }

    pub(crate) fn take_received(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.received)).unwrap()
    }
}

impl OriginStream {
    fn next_request(&mut self) -> Option<Box<RequestHead>> {
        loop {
            let received = &self.stream.received;
            let (used, event) = self.codec.decode(received, &HeadLimits::default()).unwrap();
            self.stream.received.drain(..used);
            match event {
                Some(ServerEvent::Request(head)) => return Some(head),
                Some(_) => {}
                None => return None,
            }
        }
    }
}
