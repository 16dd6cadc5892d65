//! Question for an endpoint, its answer, and the outcome of the request.

use std::sync::Arc;

use super::endpoint::EndpointId;

/// Properties of a request that decide its endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Hash of what [`Policy::Hash`](super::Policy::Hash) distributes, such as the URI or the
    /// client. A request without hash is distributed by round robin.
    pub hash: Option<u64>,
    /// Value of [`Group::sticky_of`](super::Group::sticky_of) that an earlier response has given to
    /// the client. Its endpoint is selected whatever the policy, even if it drains, unless it is
    /// down, ejected, disabled or tried. If it is full, the request waits for it, unless the queue
    /// is full too.
    pub sticky: Option<u64>,
    /// Endpoints that must not be selected again for this request.
    pub tried: &'a [EndpointId],
}

/// Properties of a request that waits, kept until it gets a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    hash: Option<u64>,
    pub(super) sticky: Option<u64>,
    tried: Box<[EndpointId]>,
}

impl Wish {
    pub(super) fn of(ask: &Ask<'_>) -> Self {
        Self { hash: ask.hash, sticky: ask.sticky, tried: ask.tried.into() }
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask { hash: self.hash, sticky: self.sticky, tried: &self.tried }
    }
}

/// Answer to an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The request goes to this endpoint; the caller calls [`Group::begin`](super::Group::begin).
    Endpoint(EndpointId),
    /// All endpoints that may be used serve as many requests as they may; the request may be queued.
    Full,
    /// No endpoint may be used.
    None,
}

/// Result of a request that says something about its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has answered.
    Success,
    /// The endpoint has failed, with the reason.
    Failure(Arc<str>),
}
