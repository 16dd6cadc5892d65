//! The fetch: what it keeps through all of its states, and the states.

use std::sync::Arc;
use std::time::Instant;

use crate::balance::{EndpointId, Outcome};
use crate::cache::{Object, OriginFailure, Ticket};
use crate::http::{BodyLength, Method};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::groups::{Place, RunningGroup};
use crate::proxy::shared::Shared;
use crate::proxy::timers::{FetchTimer, FetchTimers};
use crate::proxy::transfer::body::Retention;
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse};
use crate::proxy::transfer::send_buffer::TransferCoding;
use crate::reactor::{Arena, Driven, Id, Reactor, Token, Wake};

use super::application::{Call, Production};
use super::attempt::Attempt;
use super::context::FetchCx;
use super::request::FetchRequest;
use super::upload::Upload;

/// A request to an origin, and its response.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) id: Id<Self>,
    /// The state between two drives. While the fetch is driven, the drive loop owns the state.
    pub(super) state: State,
    pub(super) request: FetchRequest,
    /// The request's content, until the fetch needs no more of it.
    pub(super) upload: Option<Upload>,
    /// The fetch in the cache's table of fetches in flight.
    pub(super) ticket: Ticket,
    /// The response that the fetch fills.
    pub(super) response: Id<PendingResponse>,
    /// Interim responses received, of all attempts.
    pub(super) interims: Interims,
    pub(super) retry: Retry,
    /// The group that the origin is a member of.
    pub(super) group: Option<Id<RunningGroup>>,
    /// The place taken at a member of the group.
    pub(super) place: Option<Place>,
    /// Result of the request for the member, if a response has decided it; otherwise the end of the fetch
    /// does.
    pub(super) outcome: Option<Outcome>,
    /// Members that have failed this request.
    pub(super) tried: Vec<EndpointId>,
    /// The failure of the last one.
    pub(super) failure: Option<ExchangeError>,
    /// Set once the client was sent a 100 in place of the origin.
    pub(super) continue_sent: bool,
    pub(super) timers: FetchTimers,
    /// Time at which the fetch, or its latest attempt, began to look for a place.
    pub(super) began: Instant,
    /// Bytes counted as memory of connections.
    pub(crate) held: usize,
}

/// State of a fetch, with what it owns only in that state. The chart is in [`fetch`](super).
#[derive(Debug, Default)]
pub(super) enum State {
    /// Receives the request's content completely, to send it with a length.
    Gather(Upload, Option<Box<Attempt>>),
    /// Gets a connection: from the pool, or by the dial.
    Acquire(Option<Box<Dial>>),
    /// Writes the request's head.
    Send(Box<Attempt>),
    /// Receives the response's head, and sends the request's content meanwhile.
    Head(Box<Attempt>),
    /// Receives the response's content.
    Content(Box<Attempt>),
    /// Has the handler of an application called.
    Call(Box<Call>),
    /// Takes the content that an application produces.
    Produce(Box<Production>),
    /// Owns nothing: the fetch has ended.
    #[default]
    Finished,
}

/// A state is moved into every step and back, so that what is large is in a box.
const _: () = assert!(size_of::<State>() <= 64);

/// Second attempt at a request that was lost on a reused connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Available,
    Spent,
}

/// Interim responses received, and the bytes of their heads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interims {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

impl Driven for Fetch {
    const KIND: u8 = 2;
}

impl Fetch {
    /// Begins a fetch, and returns its response, to which readers can be attached at once.
    pub(crate) fn begin(
        mut request: FetchRequest,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        fetches: &mut Arena<Self>,
    ) -> Id<PendingResponse> {
        shared.counters.fetches += 1;
        let now = reactor.now().mono;
        request.origin = request.route.origin().cloned();
        let origin = request.origin.as_ref();
        request.old_origin =
            origin.is_some_and(|origin| shared.old_origins.contains(&origin.key, now));
        let id = fetches.insert_with(|id| {
            let response = pending_response(&request, id.token(), shared);
            let ticket = shared.cache.begin(&request.key, &mut request.presented, response, now);
            if request.bound_to.is_some() || request.bypasses_cache {
                shared.cache.forbid_joining(ticket);
            }
            if request.background {
                shared.cache.refresh(ticket);
            }
            let uploads = &mut shared.uploads;
            let upload = request.upload.map(|body| Upload::attach(body, id.token(), uploads));
            Self {
                id,
                state: match upload.filter(|_| request.needs_gathering()) {
                    Some(upload) => State::Gather(upload, None),
                    None => State::Acquire(None),
                },
                upload,
                ticket,
                response,
                interims: Interims::default(),
                retry: Retry::Available,
                group: None,
                place: None,
                outcome: None,
                tried: Vec::new(),
                failure: None,
                request,
                continue_sent: false,
                timers: FetchTimers::default(),
                began: now,
                held: 0,
            }
        });
        reactor.wake(id.token());
        fetches.get(id).expect("just inserted").response
    }

    pub(super) const fn token(&self) -> Token {
        self.id.token()
    }

    /// Returns the response, which exists until the fetch has finished its body.
    pub(super) fn response<'a>(
        &self,
        responses: &'a mut Arena<PendingResponse>,
    ) -> &'a mut PendingResponse {
        responses.get_mut(self.response).expect("a response exists until its body is finished")
    }

    /// Returns a line that names the request and the state.
    pub(crate) fn dump(&self) -> String {
        format!("fetch {} in {}", self.request.route.uri, self.state.name())
    }

    /// Returns the time at which the fetch is driven at the latest.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let dial = match &self.state {
            State::Acquire(dial) => dial.as_ref().map(|dial| dial.next_deadline()),
            _ => None,
        };
        self.timers.next().into_iter().chain(dial).min()
    }

    /// Returns true if no client reads the response.
    pub(crate) fn is_unread(&self) -> bool {
        self.timers.get(FetchTimer::Unread).is_some()
    }

    /// Returns true if the fetch may wait for the addresses of `name`.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        matches!(&self.state, State::Acquire(Some(dial)) if dial.looks_up(name))
    }

    /// Returns the bytes of memory that its buffers take.
    pub(crate) fn holds(&self, reactor: &Reactor<Mail>) -> usize {
        let attempt = self.state.attempt();
        let buffers =
            attempt.map_or(0, |attempt| attempt.held() + reactor.held(attempt.connection.io));
        let content = if let State::Call(call) = &self.state { call.held() } else { 0 };
        buffers + content
    }

    /// Returns true if readers know what follows: the response, or a stored one in its place.
    pub(super) fn has_result(&self, cx: &mut FetchCx<'_>) -> bool {
        self.response(&mut cx.shared.responses).result.is_some()
    }

    /// Publishes the stale response that stands in for the origin's, if it may be served after
    /// `failure`. Returns true if it was published.
    pub(super) fn publish_fallback(
        &mut self,
        failure: OriginFailure,
        cx: &mut FetchCx<'_>,
    ) -> bool {
        let (now, unsaid) = (cx.reactor.now().mono, cx.shared.settings.limits.stale_if_unreachable);
        let survives = |object: &Arc<Object>| object.freshness().survives(failure, unsaid, now);
        let Some(object) = self.request.fallback.take().filter(survives) else { return false };
        let response = self.response(&mut cx.shared.responses);
        response.publish(FetchResult::Stale { object, failure }, cx.reactor);
        true
    }

    /// Detaches from the request's content.
    pub(super) fn leave_upload(&mut self, cx: &mut FetchCx<'_>) {
        if let Some(upload) = self.upload.take() {
            cx.shared.leave_upload(upload.id, upload.reader, cx.reactor);
        }
    }

    /// Returns the coding in which the request's content is sent.
    pub(super) fn request_coding(&self) -> TransferCoding {
        match self.request.head.body_length() {
            BodyLength::Unknown if self.request.gathered.is_none() => TransferCoding::Chunked,
            _ => TransferCoding::Identity,
        }
    }
}

impl State {
    /// Returns the name of the state, for people.
    const fn name(&self) -> &'static str {
        match self {
            Self::Gather(..) => "Gather",
            Self::Acquire(_) => "Acquire",
            Self::Send(_) => "Send",
            Self::Head(_) => "Head",
            Self::Content(_) => "Content",
            Self::Call(_) => "Call",
            Self::Produce(_) => "Produce",
            Self::Finished => "Finished",
        }
    }

    fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Gather(_, attempt) => attempt.as_deref(),
            Self::Send(attempt) | Self::Head(attempt) | Self::Content(attempt) => Some(attempt),
            Self::Acquire(_) | Self::Call(_) | Self::Produce(_) | Self::Finished => None,
        }
    }

    /// Releases what the state owns: closes its connection or cancels its dial, and returns its
    /// buffers.
    pub(super) fn release(self, cx: &mut FetchCx<'_>) {
        match self {
            Self::Acquire(Some(mut dial)) => dial.cancel(cx.reactor, &mut cx.shared.origins),
            Self::Gather(_, Some(attempt))
            | Self::Send(attempt)
            | Self::Head(attempt)
            | Self::Content(attempt) => attempt.release(cx),
            Self::Call(call) => call.release(cx),
            Self::Produce(production) => production.release(cx),
            Self::Gather(_, None) | Self::Acquire(None) | Self::Finished => {}
        }
    }
}

/// Creates the response that `fetch` fills. All of its content is kept if the cache may store it.
fn pending_response(
    request: &FetchRequest,
    fetch: Token,
    shared: &mut Shared,
) -> Id<PendingResponse> {
    let method = request.head.method();
    let may_store = shared.cache.is_on() && matches!(method, Method::Get | Method::Post);
    let retain = if may_store { Retention::Full } else { Retention::Window };
    let window = shared.settings.limits.window.0;
    shared.responses.insert(PendingResponse::new(fetch, retain, window))
}
