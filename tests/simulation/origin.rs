//! A scripted origin: complete responses, late ones, and some that are cut short.

use std::io::IoSlice;
use std::ops::Range;
use std::task::Poll;
use std::time::Instant;

use tidegate::http::{HeadLimits, Method, Name, RequestHead, ServerCodec, ServerEvent, range};
use tidegate::reactor::sim::Rng;
use tidegate::reactor::{Driven, Id, Reactor, SocketId};

use crate::members::HEALTH;
use crate::plan::{Framing, Plan, Resources};

/// Percentage of responses that are cut short.
const CUT: u32 = 5;
/// Percentage of responses that are late.
const LATE: u32 = 20;
/// Percentage of responses that unrequested bytes follow.
const STRAY: u32 = 3;
/// Percentage of responses of members of a group that say that the member is busy.
const BUSY: u32 = 5;
const BUSY_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nX-Busy: 1\r\nContent-Length: 0\r\n\r\n";

pub(crate) struct OriginConnection {
    pub(crate) id: Id<Self>,
    pub(crate) io: SocketId,
    codec: ServerCodec,
    input: Vec<u8>,
    output: Vec<u8>,
    request: Option<Box<RequestHead>>,
    received: Vec<u8>,
    /// No byte is sent before this time.
    not_before: Option<Instant>,
    /// Time at which unrequested bytes are sent, between two responses.
    stray_at: Option<Instant>,
    close_after: bool,
    ending: Ending,
    service: Service,
}

/// What a connection of the origin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Plain,
    Tls,
    /// A tunnel: received bytes are sent back.
    Echo,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Regularly: with TLS, by `close_notify`.
    Close,
    /// By the end of the stream alone, which truncates the content of TLS.
    Truncate,
    Reset,
}

impl Driven for OriginConnection {
    const KIND: u8 = 9;
}

impl OriginConnection {
    pub(crate) fn new(id: Id<Self>, io: SocketId, service: Service) -> Self {
        Self {
            id,
            io,
            codec: ServerCodec::new(),
            input: Vec::new(),
            output: Vec::new(),
            request: None,
            received: Vec::new(),
            not_before: None,
            stray_at: None,
            close_after: false,
            ending: Ending::Close,
            service,
        }
    }

    /// Returns false once the connection has ended.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor<()>,
        resources: &mut Resources,
        rng: &mut Rng,
    ) -> bool {
        match reactor.handshake(self.io) {
            Poll::Pending => return true,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return self.end(reactor),
        }
        loop {
            if let Some(at) = self.not_before {
                if reactor.now().mono < at {
                    reactor.set_deadline(self.id.token(), Some(at));
                    return true;
                }
                self.not_before = None;
            }
            if !self.output.is_empty() {
                match reactor.send(self.io, &[IoSlice::new(&self.output)]) {
                    Poll::Ready(Ok(n)) => drop(self.output.drain(..n)),
                    Poll::Ready(Err(_)) => return self.end(reactor),
                    Poll::Pending => return true,
                }
                continue;
            }
            if self.close_after {
                return self.end(reactor);
            }
            if let Some(at) = self.stray_at
                && self.request.is_none()
            {
                if reactor.now().mono >= at {
                    self.stray_at = None;
                    self.output.extend_from_slice(b"bytes that answer nothing\r\n\r\n");
                    continue;
                }
                reactor.set_deadline(self.id.token(), Some(at));
            }
            if self.understand(reactor, resources, rng) {
                continue;
            }
            self.input.reserve(4096);
            match reactor.recv(self.io, &mut self.input) {
                Poll::Pending => return true,
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) if self.service == Service::Echo => self.close_after = true,
                Poll::Ready(_) => return self.end(reactor),
            }
        }
    }

    fn end(&self, reactor: &mut Reactor<()>) -> bool {
        match self.ending {
            Ending::Reset => reactor.reset(self.io),
            Ending::Truncate => {
                reactor.strip(self.io);
                reactor.close(self.io);
            }
            Ending::Close => reactor.close(self.io),
        }
        false
    }

    /// Handles the next event of the input; returns false if more input is needed.
    fn understand(
        &mut self,
        reactor: &Reactor<()>,
        resources: &mut Resources,
        rng: &mut Rng,
    ) -> bool {
        if self.service == Service::Echo {
            self.output = std::mem::take(&mut self.input);
            return !self.output.is_empty();
        }
        let decoded = self.codec.decode(&self.input, &HeadLimits::default());
        let (used, event) = decoded.expect("the proxy sent a malformed request");
        match event {
            Some(ServerEvent::Request(head)) => {
                if head.method() == Method::Post {
                    resources.note_post(&head);
                }
                let complete = !head.body_length().has_content();
                self.request = Some(head);
                if complete {
                    self.answer(reactor, resources, rng);
                }
            }
            Some(ServerEvent::Content(range)) => {
                self.received.extend_from_slice(&self.input[range]);
            }
            Some(ServerEvent::End(_)) => self.answer(reactor, resources, rng),
            None if used == 0 => return false,
            None => {}
        }
        self.input.drain(..used);
        true
    }

    fn answer(&mut self, reactor: &Reactor<()>, resources: &mut Resources, rng: &mut Rng) {
        let request = self.request.take().expect("a response without a request");
        let received = std::mem::take(&mut self.received);
        let mut ended_by_alert = None;
        let is_busy = resources.are_of_site && rng.percent(BUSY);
        if is_busy {
            self.output.extend_from_slice(BUSY_RESPONSE);
        } else if request.path_and_query() == HEALTH {
            self.output.extend_from_slice(b"HTTP/1.1 204 No Content\r\n\r\n");
        } else if !request.method().is_safe() {
            let text = format!("{} {}", received.len(), sum(&received));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            self.output.extend_from_slice(head.as_bytes());
        } else {
            let plan = resources.plans.iter().find(|plan| plan.path == request.path_and_query());
            let plan = plan.expect("a request for an unknown path");
            assert_eq!(plan.is_secure, self.service == Service::Tls);
            let head = self.answer_with(plan, &request);
            if self.close_after && plan.ends_by_alert() {
                let is_truncated = plan.is_truncated || rng.percent(20);
                self.ending = if is_truncated { Ending::Truncate } else { Ending::Close };
                if !is_truncated && rng.percent(20) {
                    self.output.truncate(head + rng.below(self.output.len() - head + 1));
                }
                ended_by_alert = Some((plan.path.clone(), head)).filter(|_| !is_truncated);
            }
        }
        if rng.percent(CUT) {
            self.output.truncate(rng.below(self.output.len()));
            // A close is the regular end of some responses; a reset never is, and with TLS neither
            // is the end of the stream alone.
            let others = match (self.service, self.close_after) {
                (Service::Tls, true) if self.ending == Ending::Truncate => {
                    &[Ending::Truncate, Ending::Reset][..]
                }
                (Service::Tls, _) => &[Ending::Close, Ending::Truncate, Ending::Reset],
                (_, true) => &[Ending::Reset],
                (_, false) => &[Ending::Close, Ending::Reset],
            };
            self.ending = *rng.pick(others);
            self.close_after = true;
        }
        if let Some((path, head)) = ended_by_alert
            && self.ending == Ending::Close
            && let Some(length) = self.output.len().checked_sub(head)
        {
            resources.declare(&path, length);
        }
        if rng.percent(STRAY) {
            let late = std::time::Duration::from_millis(*rng.pick(&[0, 0, 10, 1000]));
            self.stray_at = Some(reactor.now().mono + late);
        }
        if rng.percent(LATE) {
            let late = std::time::Duration::from_millis(rng.next() % 2000);
            self.not_before = Some(reactor.now().mono + late);
        }
        if rng.percent(20) {
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
            self.output.splice(..0, hints.iter().copied());
        }
    }

    /// Appends the response of `plan`; returns the length of its head.
    fn answer_with(&mut self, plan: &Plan, request: &RequestHead) -> usize {
        let kind = request.fields().all_named(b"X-Kind").next().unwrap_or_default();
        let kind = std::str::from_utf8(kind).unwrap_or_default();
        let accept = request.fields().get(Name::AcceptEncoding).unwrap_or_default();
        let coding = plan.coding(std::str::from_utf8(accept).unwrap());
        let (fields, tag) = (plan.caching_fields(kind, coding), plan.tag(kind, coding));
        let mut named = request.fields().elements(Name::IfNoneMatch);
        if named.any(|named| named == tag.as_bytes()) {
            let head = format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n");
            self.output.extend_from_slice(head.as_bytes());
            return head.len();
        }
        let content = plan.content(kind, coding);
        if plan.framing == Framing::Length
            && let Some(part) = part(request, content.len() as u64, &tag)
        {
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{fields}Content-Range: {}\r\nContent-Length: {}\r\n\r\n",
                range::content_range(part.start as u64, part.end as u64, content.len() as u64),
                part.len(),
            );
            self.output.extend_from_slice(head.as_bytes());
            self.output.extend_from_slice(&content[part]);
            return head.len();
        }
        let framing = match plan.framing {
            Framing::Length => format!("Content-Length: {}\r\n", content.len()),
            Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::Close => String::new(),
        };
        let head = format!("HTTP/1.1 200 OK\r\n{fields}{framing}\r\n");
        self.output.extend_from_slice(head.as_bytes());
        if request.method() == Method::Head {
            self.close_after = plan.framing == Framing::Close;
            return head.len();
        }
        match plan.framing {
            Framing::Length => self.output.extend_from_slice(content),
            Framing::Close => {
                self.output.extend_from_slice(content);
                self.close_after = true;
            }
            Framing::Chunked => {
                for chunk in content.chunks(3000) {
                    tidegate::http::write_chunk_size(&mut self.output, chunk.len());
                    self.output.extend_from_slice(chunk);
                    self.output.extend_from_slice(b"\r\n");
                }
                tidegate::http::write_last_chunk(&mut self.output, None);
            }
        }
        head.len()
    }
}

/// Returns the only part that a request selects, if it selects one that exists.
fn part(request: &RequestHead, length: u64, tag: &str) -> Option<Range<usize>> {
    let fields = request.fields();
    if fields.get(Name::IfRange).is_some_and(|named| named != tag.as_bytes()) {
        return None;
    }
    let [range] = range::parse(fields)?[..] else { return None };
    let (first, end) = range.within(length)?;
    Some(usize::try_from(first).ok()?..usize::try_from(end).ok()?)
}

/// Returns a checksum that distinguishes contents.
pub(crate) fn sum(content: &[u8]) -> u64 {
    content.iter().fold(7, |sum: u64, &byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}
