//! A response in flight: the meeting point of its writer and the clients that wait for it.
//!
//! The writer is a fetch, of an origin or of an application. Clients do not see the difference:
//! `publish_interim` any number of times,
//! `begin` once, content into the [`Body`], and `finish` or `fail`; or `publish` in place of a response
//! of its own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cache::{NotStored, Object, OriginFailure, Storable};
use crate::http::range::Part;
use crate::http::{BodyLength, Fields, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::timings::Timings;
use crate::proxy::origin::groups::Place;
use crate::proxy::origin::pool::OriginConnection;
use crate::reactor::{Token, Wake};

use super::body::{Body, Retention, State};

/// The head of a response as it is forwarded, and the scope in which it may be shared.
#[derive(Clone, Debug)]
pub(crate) struct ResponseMeta {
    pub(crate) status: Status,
    /// Start line and fields, without the empty line.
    pub(crate) head: Fields,
    /// The length of the content, as far as the head tells.
    pub(crate) body_length: BodyLength,
    /// The rules for sharing and storing the response, or the reason against storing it.
    pub(crate) storing: Result<Storable, NotStored>,
    /// The part of the content that will arrive, if not all of it. The head is that of the whole.
    pub(crate) part: Option<Part>,
    pub(crate) origin: Option<SocketAddr>,
    /// `Set-Cookie` by which the client of the fetch stays at the origin. Clients that join the fetch do
    /// not get it.
    pub(crate) sticky: Option<Box<str>>,
}

/// The result of a fetch.
#[derive(Clone, Debug)]
pub(crate) enum FetchResult {
    /// A response, whose content follows in the body.
    Response(Arc<ResponseMeta>),
    /// The stored response, which the origin has validated (304). Unless `shared`, only the client
    /// of the fetch may receive it.
    Stored { object: Arc<Object>, shared: bool },
    /// A stale response, since the origin has failed.
    Stale { object: Arc<Object>, failure: OriginFailure },
    /// The head of a 101. The client takes over the connection.
    Switched(Arc<Fields>),
}

impl FetchResult {
    /// Returns the address that the response was fetched from; `None` for a switch, which is never
    /// shared.
    pub(crate) fn origin_address(&self) -> Option<IpAddr> {
        match self {
            Self::Response(answer) => answer.origin.map(|origin| origin.ip()),
            Self::Stored { object, .. } | Self::Stale { object, .. } => object.origin_address,
            Self::Switched(_) => None,
        }
    }
}

/// The origin's side of a tunnel.
#[derive(Debug)]
pub(crate) struct OriginSide {
    pub(crate) connection: OriginConnection,
    /// Bytes received behind the head.
    pub(crate) received: Vec<u8>,
    /// Place at a member of a group, which the tunnel keeps to its end.
    pub(crate) place: Option<Place>,
}

/// A response in flight.
#[derive(Debug)]
pub(crate) struct PendingResponse {
    pub(crate) body: Body,
    pub(crate) result: Option<FetchResult>,
    /// Interim responses in order, until the client of the fetch takes them. They concern no other
    /// reader.
    pub(crate) interims: Vec<Fields>,
    /// The object as which the response was stored. The cache accounts for its memory, and sees by
    /// this reference that it is in use.
    pub(crate) object: Option<Arc<Object>>,
    /// Bytes of the body charged to the cache.
    pub(crate) accounted: usize,
    /// Bytes of the body charged to the memory of connections.
    pub(crate) passing: usize,
    /// The steps of the fetch so far.
    pub(crate) timings: Timings,
    /// The connection after a switch.
    pub(crate) switched: Option<OriginSide>,
}

impl PendingResponse {
    /// Creates the response of `writer`, without a result yet.
    pub(crate) fn new(writer: Token, retain: Retention, window: u64) -> Self {
        Self {
            body: Body::new(writer, None, retain, window),
            result: None,
            interims: Vec::new(),
            object: None,
            accounted: 0,
            passing: 0,
            timings: Timings::default(),
            switched: None,
        }
    }

    /// Returns the bytes to charge to the cache, and those to charge to the memory of connections.
    /// A stored response is charged as an object instead.
    pub(crate) fn holds(&self) -> (usize, usize) {
        if self.object.is_some() {
            return (0, 0);
        }
        let (kept, passing) = self.body.holds();
        (kept.try_into().unwrap_or(usize::MAX), passing.try_into().unwrap_or(usize::MAX))
    }
}

/// The writer's side.
impl PendingResponse {
    /// Publishes an interim response to the client of the writer.
    pub(crate) fn publish_interim(&mut self, head: Fields, wake: &mut impl Wake) {
        self.interims.push(head);
        self.body.wake_readers(wake);
    }

    /// Publishes the head of a response, whose content follows in the body. Content that may not be
    /// stored is dropped once it was read.
    pub(crate) fn begin(&mut self, meta: ResponseMeta, wake: &mut impl Wake) {
        if let Some(part) = meta.part {
            self.body.begin_at(part.first);
        }
        let end = meta.part.map(|part| part.end);
        self.body.set_length(end.or(meta.body_length.known()));
        if meta.storing.is_err() {
            self.body.stop_retaining();
        }
        self.publish(FetchResult::Response(Arc::new(meta)), wake);
    }

    /// Publishes the result.
    pub(crate) fn publish(&mut self, result: FetchResult, wake: &mut impl Wake) {
        self.result = Some(result);
        self.body.wake_readers(wake);
    }

    /// Ends the content. Has no effect if the response has ended already.
    pub(crate) fn finish(&mut self, trailers: Option<Fields>, wake: &mut impl Wake) {
        self.body.finish(State::Complete(trailers), wake);
    }

    /// Ends the response in failure, which all readers see. Readers still get the content received
    /// before.
    pub(crate) fn fail(&mut self, error: ExchangeError, wake: &mut impl Wake) {
        self.body.finish(State::Failed(error), wake);
        self.body.stop_retaining();
    }
}
