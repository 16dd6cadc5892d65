//! Requests of the proxy itself: they go the way of other fetches, past the cache.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use crate::acme::{Method, Request, Response};
use crate::http::{HeadLimits, HeadWriter, RequestHead, ServerCodec, ServerEvent};
use crate::proxy::fetch::request::FetchRequest;
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::Mail;
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::Route;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::{Body, Retention, State};
use crate::proxy::transfer::pending_response::{FetchResult, PendingResponse, ResponseMeta};
use crate::proxy::transfer::readers::ReaderKey;
use crate::reactor::{Arena, Id, Reactor, Token};

/// Name of this program in requests to a CA.
const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// A request in flight. Its owner is woken, and drives it.
#[derive(Debug)]
pub(super) struct OwnRequest {
    response: Id<PendingResponse>,
    reader: ReaderKey,
    /// Content received, and the most that is wanted.
    received: Vec<u8>,
    most: usize,
}

/// A response that was received completely, or as far as it was wanted.
#[derive(Debug)]
pub(super) struct Received {
    meta: Arc<ResponseMeta>,
    content: Vec<u8>,
}

impl Received {
    /// Returns the response as an operation reads it.
    pub(super) fn as_response(&self) -> Response<'_> {
        let field = |name: &'static [u8]| {
            let value = self.meta.head.all_named(name).next();
            value.and_then(|value| std::str::from_utf8(value).ok())
        };
        Response {
            status: self.meta.status.code(),
            replay_nonce: field(b"Replay-Nonce"),
            location: field(b"Location"),
            retry_after: field(b"Retry-After"),
            body: &self.content,
        }
    }
}

impl OwnRequest {
    /// Sends a request for `owner`.
    ///
    /// # Errors
    /// Returns the reason if the URL cannot be fetched.
    pub(super) fn begin(
        request: &Request,
        owner: Token,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        fetches: &mut Arena<Fetch>,
    ) -> Result<Self, String> {
        let route = Route::own(&request.url, &shared.settings)?;
        let head = head_of(request, &shared.heads).ok_or("the URL cannot be requested")?;
        let head = Arc::new(head);
        let upload = (!request.body.is_empty()).then(|| {
            let window = shared.settings.limits.window.0;
            let length = Some(request.body.len() as u64);
            shared.uploads.insert(Body::new(owner, length, Retention::Full, window))
        });
        let most = request.most;
        let fetch = FetchRequest {
            facts: RequestFacts::of(&head, None, &shared.settings),
            bypasses_cache: true,
            presented: shared.present(&head),
            key: shared.cache.keys().key(&format!("acme {}", request.url).into()),
            head,
            route: Arc::new(route),
            origin: None,
            client: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            behind: Ipv4Addr::UNSPECIFIED.into(),
            id: None,
            user: None,
            validate: Vec::new(),
            fallback: None,
            fill: None,
            background: false,
            upload,
            old_origin: false,
            answered: None,
            gathered: None,
            destination: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            is_secure: false,
            bound_to: None,
        };
        let response = Fetch::begin(fetch, reactor, shared, fetches);
        if let Some(body) = upload.and_then(|id| shared.uploads.get_mut(id)) {
            body.push(&request.body, reactor);
            body.finish(State::Complete(None), reactor);
        }
        let reader = shared.responses[response].body.attach(owner);
        let reader = reader.ok_or("the response cannot be read")?;
        Ok(Self { response, reader, received: Vec::new(), most })
    }

    /// Continues as far as possible; `Pending` until the owner is woken. The request is over once there
    /// is a result.
    ///
    /// # Errors
    /// Returns the reason why there is no response.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<Received, String>> {
        let Some(response) = shared.responses.get_mut(self.response) else {
            return Poll::Ready(Err("the response is gone".to_owned()));
        };
        response.body.read(self.reader, usize::MAX, &mut self.received, reactor);
        let is_enough = self.received.len() > self.most;
        let done = match (&response.result, response.body.state()) {
            (_, State::Failed(error)) => Err(error.to_string().trim_end_matches('.').to_owned()),
            (Some(FetchResult::Response(meta)), state)
                if is_enough || matches!(state, State::Complete(_)) =>
            {
                let content = std::mem::take(&mut self.received);
                Ok(Received { meta: Arc::clone(meta), content })
            }
            (None | Some(FetchResult::Response(_)), State::Streaming) => {
                response.body.park(self.reader);
                shared.account(self.response);
                return Poll::Pending;
            }
            _ => Err("the CA has sent no response of its own".to_owned()),
        };
        self.leave(reactor, shared);
        Poll::Ready(done)
    }

    /// Ends the request, whose result is not wanted any more.
    pub(super) fn leave(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        shared.leave_response(self.response, self.reader, reactor);
    }
}

/// Returns the head of a request.
fn head_of(request: &Request, limits: &HeadLimits) -> Option<RequestHead> {
    let method = match request.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
    };
    let authority = request.url.split_once("://")?.1.split(['/', '?']).next()?;
    let mut out = Vec::new();
    let mut head = HeadWriter::request(&mut out, method, &request.url);
    head.field("Host", authority.as_bytes());
    head.field("User-Agent", USER_AGENT.as_bytes());
    head.field("Cache-Control", b"no-store");
    request.accept.iter().for_each(|accept| {
        head.field("Accept", accept.as_bytes());
    });
    request.content_type.iter().for_each(|kind| {
        head.field("Content-Type", kind.as_bytes());
    });
    if !request.body.is_empty() {
        head.number("Content-Length", request.body.len() as u64);
    }
    head.end();
    match ServerCodec::new().decode(&out, limits) {
        Ok((_, Some(ServerEvent::Request(head)))) => Some(*head),
        _ => None,
    }
}
