//! Compression: the form in which the client gets content, if a coding is to be applied.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cache::Object;
use crate::coding::{self, Answer, Asker, Policy, Verdict};
use crate::http::{ContentCoding, Fields, Method, Name, Status, Version};
use crate::proxy::compress::{Compressor, Order, Uncompressed, code_whole};
use crate::proxy::routing::route::Route;
use crate::proxy::settings::Settings;
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::representation::{Representation, StreamedRepresentation};
use crate::proxy::transfer::send_buffer::TransferCoding;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::http1;
use super::persistence::Persistence;
use super::source::Reading;
use super::state::FileResponse;

/// Form of a response, as far as compression is concerned.
#[derive(Debug)]
pub(super) enum Shape {
    /// The response as it is, which no client gets in a coding.
    Plain,
    /// The response as it is; other clients may get it in a coding.
    Varying,
    /// A 304 of the origin, for content that the client may have in a coding.
    Confirming,
    /// The response in a coding.
    Coded(ContentCoding, CodedContent),
}

/// Content in a coding.
#[derive(Debug)]
pub(super) enum CodedContent {
    /// The client gets no content.
    Unsent,
    /// A coded form of this length is attached to the stored object.
    Stored(u64),
    /// The content is being coded.
    Pending(Reading),
}

impl Shape {
    /// Returns the head of the response, made of that of the response as it is.
    pub(super) fn head<'a>(&self, whole: Cow<'a, Fields>, request: &Fields) -> Cow<'a, Fields> {
        match self {
            Self::Plain => whole,
            Self::Varying => match coding::varying(&whole) {
                Cow::Borrowed(_) => whole,
                Cow::Owned(head) => Cow::Owned(head),
            },
            Self::Confirming => coding::weakened(&whole, request).map_or(whole, Cow::Owned),
            Self::Coded(coding, content) => {
                let length = match content {
                    CodedContent::Stored(length) => Some(*length),
                    CodedContent::Unsent | CodedContent::Pending(_) => None,
                };
                Cow::Owned(coding::coded(&whole, *coding, length))
            }
        }
    }

    /// Returns the coding and the length of the form that is attached to the stored object, if that is sent.
    pub(super) const fn stored(&self) -> Option<(ContentCoding, u64)> {
        match self {
            Self::Coded(coding, CodedContent::Stored(length)) => Some((*coding, *length)),
            _ => None,
        }
    }

    /// Returns the place among the readers of content that is being coded, and how it is framed.
    pub(super) fn pending(
        &self,
        version: Version,
        persistence: &mut Persistence,
    ) -> Option<(Reading, TransferCoding)> {
        let Self::Coded(_, CodedContent::Pending(reading)) = self else { return None };
        Some((*reading, http1::frame_unknown(version, persistence)))
    }
}

/// Returns the form of a stored response, of which `form` is sent. The head is `whole`, with the edits of
/// the route.
pub(super) fn of_stored(
    object: &Arc<Object>,
    (form, whole): (&Representation, &Fields),
    route: &Route,
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Shape {
    if !is_on(exchange, &cx.shared.settings) {
        return Shape::Plain;
    }
    let is_public = object.freshness().is_declared(cx.now());
    let answer = Answer { status: object.status, head: whole, original: &object.head, is_public };
    let coding = match judge(answer, exchange, connection, &cx.shared.settings) {
        Ok(coding) => coding,
        Err(shape) => return shape,
    };
    let is_sent = matches!(form, Representation::Whole) && exchange.request.method() == Method::Get;
    if let Some(coded) = object.coded(coding) {
        if is_sent {
            cx.shared.counters.compression.hits += 1;
            note(coding, exchange, "compressed");
        }
        return Shape::Coded(coding, CodedContent::Stored(coded.len()));
    }
    if !is_sent {
        return Shape::Coded(coding, CodedContent::Unsent);
    }
    if !object.content.is_whole() {
        return Shape::Varying;
    }
    let key = route.key(cx.shared.cache.keys());
    if let Some(length) = code_whole(object, coding, &key, cx.shared) {
        note(coding, exchange, "compressing");
        return Shape::Coded(coding, CodedContent::Stored(length));
    }
    let content = Uncompressed::Object(Arc::clone(object));
    begin(Order { content, coding, key: Some(key) }, exchange, connection, cx)
}

/// Returns the form of a pending response, of which `form` is sent.
pub(super) fn of_pending(
    reading: Reading,
    meta: &ResponseMeta,
    (form, whole): (StreamedRepresentation, &Fields),
    route: &Route,
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Shape {
    let settings = &cx.shared.settings;
    if !is_on(exchange, settings) {
        return Shape::Plain;
    }
    if meta.status == Status::NOT_MODIFIED {
        return Shape::Confirming;
    }
    let now = cx.now();
    let is_public = meta.storing.as_ref().is_ok_and(|storable| storable.freshness.is_declared(now));
    let answer = Answer { status: meta.status, head: whole, original: &meta.head, is_public };
    let coding = match judge(answer, exchange, connection, settings) {
        Ok(coding) => coding,
        Err(shape) => return shape,
    };
    if exchange.request.method() == Method::Head {
        return Shape::Coded(coding, CodedContent::Unsent);
    }
    // Content of which parts are stored is read from where the first missing part begins.
    if form != StreamedRepresentation::Whole || meta.part.is_some() {
        return Shape::Varying;
    }
    let key = meta.storing.is_ok().then(|| route.key(cx.shared.cache.keys()));
    let content = Uncompressed::Response(reading.response);
    begin(Order { content, coding, key }, exchange, connection, cx)
}

/// Returns the form of a file, of which `form` is sent.
pub(super) fn of_file(
    response: &FileResponse,
    (form, whole): (&Representation, &Fields),
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Shape {
    let FileResponse { file, head, status } = response;
    // Files are the same for all that may read them.
    let answer = Answer { status: *status, head: whole, original: head, is_public: true };
    let coding = match judge(answer, exchange, connection, &cx.shared.settings) {
        Ok(coding) => coding,
        Err(shape) => return shape,
    };
    if !matches!(form, Representation::Whole) || exchange.request.method() == Method::Head {
        return Shape::Coded(coding, CodedContent::Unsent);
    }
    let content = Uncompressed::File(Arc::clone(file));
    begin(Order { content, coding, key: None }, exchange, connection, cx)
}

/// Begins to code content, or joins those that wait for the same.
fn begin(
    order: Order,
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Shape {
    let coding = order.coding;
    let begun = Compressor::begin(order, connection.token, cx.reactor, cx.shared, cx.compressors);
    let Some((response, reader)) = begun else { return Shape::Varying };
    note(coding, exchange, "compressing");
    Shape::Coded(coding, CodedContent::Pending(Reading { response, reader }))
}

/// Records that the client gets content in a coding.
fn note(coding: ContentCoding, exchange: &mut Exchange, detail: &'static str) {
    exchange.record.coding = Some(coding);
    exchange.cache_status.detail.get_or_insert(detail);
}

/// Returns the coding that the client gets.
///
/// # Errors
/// The form of a response that the client gets as it is.
pub(super) fn judge(
    answer: Answer<'_>,
    exchange: &Exchange,
    connection: &Connection,
    settings: &Settings,
) -> Result<ContentCoding, Shape> {
    let Some(policy) = policy(exchange, settings) else { return Err(Shape::Plain) };
    // The user of a forward proxy is none of the origin.
    let is_user = exchange.site_route.is_some() && exchange.record.is_of_known_client();
    let is_known = connection.binds_origins || is_user;
    match policy.decide(Asker { request: &exchange.request, is_known }, answer) {
        Verdict::Coded(coding) => Ok(coding),
        Verdict::NotHere(_) => Err(Shape::Varying),
        Verdict::Never(_) => Err(Shape::Plain),
    }
}

/// Returns true if some responses to the request would be compressed.
pub(super) fn is_on(exchange: &Exchange, settings: &Settings) -> bool {
    policy(exchange, settings).is_some()
}

/// Removes a range from the request that is not answered where content is compressed.
pub(super) fn drop_range(exchange: &mut Exchange, settings: &Settings) {
    if policy(exchange, settings).is_some_and(|policy| policy.ignores_range(&exchange.request)) {
        let whole = exchange.request.without(Name::Range).without(Name::IfRange);
        exchange.request = Arc::new(whole);
    }
}

fn policy<'a>(exchange: &'a Exchange, settings: &'a Settings) -> Option<Policy<'a>> {
    let route = exchange.site_route.as_ref();
    settings.compression.policy(route.map(|route| &route.policy.compression))
}
