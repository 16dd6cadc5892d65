//! A small origin server to try a proxy with, built on the same reactor and codec.
//!
//! `cargo run --example origin -- 127.0.0.1:8000` serves, directly or through a proxy:
//!
//! * `/hello`: cacheable for a minute, with an entity tag;
//! * `/now`: not storable;
//! * `/slow`: answered after two seconds, cacheable for a minute;
//! * `/bytes/N`: N bytes, cacheable for an hour;
//! * `/name`: the address that the origin listens on, not storable;
//! * `/head`: the head of the request as the origin has received it, not storable;
//! * `/moved`: a redirection to `/hello`, by a URL with the origin's address, not storable.
//!
//! The field `X-Served` of each response counts the requests so far.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::http::{
    HeadLimits, HeadWriter, Method, Name, RequestHead, ServerCodec, ServerEvent, Status, date, hop,
};
use tidegate::reactor::{
    App, Arena, Driven, Event, Id, Listener, Now, Reactor, SocketId, Token, Wake, WakeReason,
};

const IDLE: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_secs(2);
const MAX_CLIENTS: usize = 1000;
const MAX_BYTES: u64 = 1 << 34;
const TAG: &[u8] = b"\"hello-1\"";

struct Origin {
    gates: Arena<Gate>,
    clients: Arena<Client>,
    address: SocketAddr,
    served: u64,
}

struct Gate(Listener);

struct Client {
    io: SocketId,
    codec: ServerCodec,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of content to send after the output.
    filler: u64,
    request: Option<Box<RequestHead>>,
    /// Time before which nothing is sent.
    not_before: Option<Instant>,
    close: bool,
}

impl Driven for Gate {
    const KIND: u8 = 0;
}
impl Driven for Client {
    const KIND: u8 = 1;
}

impl App for Origin {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, why) = event else { return };
        if let Some(id) = token.id::<Gate>() {
            self.accept(reactor, id);
        } else if let Some(id) = token.id::<Client>()
            && let Some(client) = self.clients.get_mut(id)
        {
            let idle = why == WakeReason::TIMER && client.not_before.is_none();
            if idle || client.drive(reactor, token, self.address, &mut self.served).is_err() {
                reactor.close(client.io);
                self.clients.remove(id);
                self.gates.iter_mut().for_each(|(_, gate)| gate.0.resume(reactor));
            }
        }
    }
}

impl Origin {
    fn accept(&mut self, reactor: &mut Reactor<()>, id: Id<Gate>) {
        let Some(Gate(listener)) = self.gates.get_mut(id) else { return };
        let mut connections = Vec::new();
        listener.accept(reactor, MAX_CLIENTS - self.clients.len(), &mut connections);
        reactor.set_deadline(id.token(), listener.next_deadline());
        for (io, _) in connections {
            let client = self.clients.insert(Client::new(io));
            reactor.set_owner(io, client.token());
        }
    }
}

impl Client {
    fn new(io: SocketId) -> Self {
        Self {
            io,
            codec: ServerCodec::new(),
            input: Vec::new(),
            output: Vec::new(),
            filler: 0,
            request: None,
            not_before: None,
            close: false,
        }
    }

    /// Sends pending output, then reads requests. An error ends the connection.
    fn drive(
        &mut self,
        reactor: &mut Reactor<()>,
        token: Token,
        address: SocketAddr,
        served: &mut u64,
    ) -> io::Result<()> {
        let now = reactor.now();
        reactor.set_deadline(token, Some(self.not_before.unwrap_or(now.mono + IDLE)));
        if self.not_before.is_some_and(|at| now.mono < at) {
            return Ok(());
        }
        self.not_before = None;
        for _ in 0..16 {
            if !self.output.is_empty() {
                let Poll::Ready(sent) = reactor.send(self.io, &[IoSlice::new(&self.output)]) else {
                    return Ok(());
                };
                self.output.drain(..sent?);
            } else if self.filler > 0 {
                let n = self.filler.min(64 * 1024);
                self.output.resize(usize::try_from(n).unwrap_or(0), b'.');
                self.filler -= n;
            } else if self.close {
                return Err(io::ErrorKind::ConnectionAborted.into());
            } else if self.understand(now, address, served)? {
                if self.not_before.is_some() {
                    reactor.set_deadline(token, self.not_before);
                    return Ok(());
                }
            } else {
                self.input.reserve(8 * 1024);
                match reactor.recv(self.io, &mut self.input) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Poll::Ready(received) => drop(received?),
                }
            }
        }
        reactor.wake(token);
        Ok(())
    }

    /// Handles the next event of the input. Returns false if more input is needed.
    fn understand(&mut self, now: Now, address: SocketAddr, served: &mut u64) -> io::Result<bool> {
        let decoded = self.codec.decode(&self.input, &HeadLimits::default());
        let (used, event) = decoded.map_err(io::Error::other)?;
        self.input.drain(..used);
        match event {
            Some(ServerEvent::Request(head)) => {
                let complete = !head.body_length().has_content();
                if head.fields().has(Name::Expect) {
                    self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                self.request = Some(head);
                if complete {
                    self.answer(now, address, served);
                }
            }
            Some(ServerEvent::End(_)) => self.answer(now, address, served),
            Some(ServerEvent::Content(_)) => {}
            None => return Ok(used > 0),
        }
        Ok(true)
    }

    fn answer(&mut self, now: Now, address: SocketAddr, served: &mut u64) {
        let Some(request) = self.request.take() else { return };
        *served += 1;
        let page = page(&request, now, address);
        self.not_before = page.late.then(|| now.mono + SLOW);
        self.close = !hop::ConnectionOptions::of(request.version(), request.fields()).persistent;
        let reason = page.status.reason().as_bytes();
        let mut head = HeadWriter::response(&mut self.output, page.status, reason);
        head.field("Date", date::format(now.wall).as_bytes())
            .field("Cache-Control", page.caching.as_bytes())
            .number("X-Served", *served);
        if !page.tag.is_empty() {
            head.field("ETag", page.tag);
        }
        if page.status == Status::FOUND {
            head.field("Location", format!("http://{address}/hello").as_bytes());
        }
        if page.status != Status::NOT_MODIFIED {
            head.field("Content-Type", b"text/plain")
                .number("Content-Length", page.text.len() as u64 + page.filler);
        }
        if self.close {
            head.field("Connection", b"close");
        }
        head.end();
        if request.method() != Method::Head {
            head.content(page.text.as_bytes());
            self.filler = page.filler;
        }
    }
}

struct Page {
    status: Status,
    caching: &'static str,
    tag: &'static [u8],
    text: String,
    filler: u64,
    late: bool,
}

fn page(request: &RequestHead, now: Now, address: SocketAddr) -> Page {
    let page = |caching, text: &str| Page {
        status: Status::OK,
        caching,
        tag: b"",
        text: text.to_owned(),
        filler: 0,
        late: false,
    };
    let path = request.path_and_query();
    let size = path.strip_prefix("/bytes/").and_then(|n| n.parse::<u64>().ok());
    match path {
        "/hello" if request.fields().get(Name::IfNoneMatch) == Some(TAG) => {
            Page { status: Status::NOT_MODIFIED, tag: TAG, ..page("max-age=60", "") }
        }
        "/hello" => Page { tag: TAG, ..page("max-age=60", "hello\n") },
        "/now" => page("no-store", &format!("{}\n", date::format(now.wall))),
        "/name" => page("no-store", &format!("{address}\n")),
        "/head" => page("no-store", &text_of(request)),
        "/moved" => Page { status: Status::FOUND, ..page("no-store", "") },
        "/slow" => Page { late: true, ..page("max-age=60", "at last\n") },
        _ if size.is_some_and(|n| n <= MAX_BYTES) => {
            Page { filler: size.unwrap_or(0), ..page("max-age=3600", "") }
        }
        _ => Page { status: Status::NOT_FOUND, ..page("no-store", "nothing here\n") },
    }
}

/// Returns the request line and the fields of a request.
fn text_of(request: &RequestHead) -> String {
    let line = format!("{} {}\n", request.method_name(), request.path_and_query());
    let fields = request.fields().iter().map(|field| {
        let [name, value] = [field.name, field.value].map(String::from_utf8_lossy);
        format!("{name}: {value}\n")
    });
    line + &fields.collect::<String>()
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let mut reactor = Reactor::new()?;
    let mut origin = Origin { gates: Arena::new(), clients: Arena::new(), address, served: 0 };
    let gate = origin
        .gates
        .try_insert_with(|id| Listener::bind(&mut reactor, address, id.token()).map(Gate))?;
    println!("listening {}", origin.gates.get(gate).expect("just inserted").0.address());
    reactor.run(&mut origin)
}
