//! Translation of requests and replies between the proxy and an application.

use std::sync::Arc;

use crate::app::{Circumstances, Reply, Request};
use crate::http::{
    BodyLength, Fields, HeadLimits, HeadWriter, Method, ParseError, ResponseHead, response_head,
};
use crate::proxy::settings::Settings;
use crate::time::Now;

use super::application::{Call, Recall};
use super::attempt::Received;
use super::request::FetchRequest;
use super::rewrite_request;

/// Returns the request for the handler.
pub(super) fn request(
    fetch: &FetchRequest,
    recall: &Recall,
    content: Vec<u8>,
    settings: &Settings,
    now: Now,
) -> Request {
    let circumstances = Circumstances {
        url: Arc::clone(&fetch.route.uri),
        client: fetch.behind.to_canonical(),
        user: fetch.user.clone(),
        received: now.wall,
        notify: recall.notify(),
    };
    Request::of(rewrite_request::application_head(fetch, settings), content, circumstances)
}

impl Call {
    /// Returns the head of the reply as one that was received.
    pub(super) const fn received<'a>(&self, head: &'a ResponseHead) -> Received<'a> {
        Received { head, sent_at: self.at, origin: None, is_bound: false }
    }
}

/// Returns the head of a reply to a request with `method`.
///
/// # Errors
/// The limit that the head exceeds.
pub(super) fn head_of(
    reply: &Reply,
    method: Method,
    limits: &HeadLimits,
) -> Result<ResponseHead, ParseError> {
    let (response, length) = (reply.response(), reply.length());
    let (status, permits) = (response.status(), response.permits_content());
    let mut start_line = Vec::with_capacity(response.fields().wire().len() + 64);
    HeadWriter::response(&mut start_line, status, status.reason().as_bytes());
    let mut fields = Fields::after(start_line, response.fields().len() + 1);
    response.fields().iter().for_each(|field| fields.copy(field));
    if let Some(length) = length.filter(|_| !status.is_bodiless()) {
        fields.push(b"Content-Length", length.to_string().as_bytes());
    }
    let body_length = match length {
        _ if method == Method::Head || !permits => BodyLength::None,
        Some(length) => BodyLength::Known(length),
        None => BodyLength::Unknown,
    };
    response_head(status, fields, body_length, limits)
}
