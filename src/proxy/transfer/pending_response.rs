//! A response on its way: where the fetch that brings it and those who wait for it meet.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{NotStored, Object, OriginFailure, Storable};
use crate::http::range::Part;
use crate::http::{Fields, Framing, Status};
use crate::proxy::origin::pool::OriginConnection;
use crate::reactor::{Token, Wake};

use super::body::{Body, Retention};

/// The head of a response as it is passed on, and for whom it is.
#[derive(Clone, Debug)]
pub(crate) struct ResponseMeta {
    pub(crate) status: Status,
    /// Start line and fields, without the empty line.
    pub(crate) head: Fields,
    /// How the origin told the end of the content.
    pub(crate) framing: Framing,
    /// Whom it may be shared with, and whether it is to be stored.
    pub(crate) storing: Result<Storable, NotStored>,
    /// Which part of its content there will be, if not all: the head is that of the whole.
    pub(crate) part: Option<Part>,
    pub(crate) origin: Option<SocketAddr>,
}

/// What a fetch has brought.
#[derive(Clone, Debug)]
pub(crate) enum FetchResult {
    /// A response; its content follows in the body.
    Response(Rc<ResponseMeta>),
    /// Word that a stored response still holds; it may be for the one who asked only.
    Stored { object: Arc<Object>, shared: bool },
    /// A stale response, since the origin has failed.
    Stale { object: Arc<Object>, failure: OriginFailure },
    /// A 101, whose head this is: the connection is to be taken over.
    Switched(Rc<Fields>),
}

impl FetchResult {
    /// The address that it came from, as far as others may read along.
    pub(crate) fn from(&self) -> Option<IpAddr> {
        match self {
            Self::Response(answer) => answer.origin.map(|origin| origin.ip()),
            Self::Stored { object, .. } | Self::Stale { object, .. } => object.origin_address,
            Self::Switched(_) => None,
        }
    }
}

/// A response on its way.
#[derive(Debug)]
pub(crate) struct PendingResponse {
    pub(crate) body: Body,
    pub(crate) result: Option<FetchResult>,
    /// Interim responses in their order, until whoever has asked for the response takes them: what
    /// they say is for nobody else.
    pub(crate) interims: Vec<Fields>,
    /// What was stored of it: the cache counts that, and knows by this that it is in use.
    pub(crate) object: Option<Arc<Object>>,
    /// Bytes of the body that the cache has counted as kept.
    pub(crate) accounted: usize,
    /// Bytes of the body that are counted as memory of connections.
    pub(crate) passing: usize,
    /// After a switch, the connection and what came on it behind the head.
    pub(crate) switched: Option<(OriginConnection, Vec<u8>)>,
}

impl PendingResponse {
    /// A response that `fetch` will bring.
    pub(crate) fn new(fetch: Token, retain: Retention, window: u64) -> Self {
        Self {
            body: Body::new(fetch, None, retain, window),
            result: None,
            interims: Vec::new(),
            object: None,
            accounted: 0,
            passing: 0,
            switched: None,
        }
    }

    /// Returns the bytes that are kept for the cache to count, and those that are only passed on. What is
    /// stored has been counted.
    pub(crate) fn holds(&self) -> (usize, usize) {
        if self.object.is_some() {
            return (0, 0);
        }
        let (kept, passing) = self.body.holds();
        (kept.try_into().unwrap_or(usize::MAX), passing.try_into().unwrap_or(usize::MAX))
    }

    pub(crate) fn publish(&mut self, brought: FetchResult, wake: &mut impl Wake) {
        self.result = Some(brought);
        self.body.wake_readers(wake);
    }

    pub(crate) fn publish_interim(&mut self, head: Fields, wake: &mut impl Wake) {
        self.interims.push(head);
        self.body.wake_readers(wake);
    }
}
