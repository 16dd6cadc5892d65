//! Deliver: the head of the response is written, in the form that the client and its request call for.

use std::sync::Arc;

use crate::cache::{NotStored, Object};
use crate::http::{Fields, HeadWriter, Method, Name, RequestHead, Status};
use crate::proxy::fetch::DirectResponse;
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::body::State as BodyState;
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::representation::{Representation, StreamedRepresentation};
use crate::proxy::transfer::send_buffer::TransferCoding;

use super::compression;
use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::file;
use super::http1;
use super::respond;
use super::source::{FileSource, Reading, Source};
use super::state::{Delivery, FileResponse, Next, State, Transmission};
use super::upload::Upload;

/// Content up to this many bytes is copied behind its head: a copy costs less than another slice, and
/// responses to pipelined requests leave in one write.
const COPIED: u64 = 4 * 1024;
/// Bytes that a response head grows by here, about.
const ADDED: usize = 160;

/// Writes the head, and chooses the source of the content.
pub(super) fn deliver(
    delivery: Delivery,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    // A response before the end of the request says that the rest may not be read (RFC 9110 §10.1.1).
    exchange.persistence.keep_only_if(!cx.shared.draining && exchange.upload == Upload::Done);
    exchange.record.first_byte = Some(exchange.record.elapsed(cx.reactor.now()));
    match delivery {
        Delivery::Stored { object, route } => {
            deliver_stored(object, &route, exchange, connection, cx)
        }
        Delivery::Direct(response) => deliver_direct(&response, exchange, connection, cx),
        Delivery::File(response) => deliver_file(*response, exchange, connection, cx),
        Delivery::Pending { reading, meta, form, route } => {
            // The client can still be told of a failure, since nothing was sent yet.
            if let BodyState::Failed(error) = cx.shared.responses[reading.response].body.state() {
                let error = error.clone();
                let delivery = Delivery::Pending { reading, meta, form, route };
                return Next::fail(State::Deliver(delivery), error);
            }
            deliver_pending(reading, form, meta, route, exchange, connection, cx)
        }
    }
}

/// Delivers a response while the fetch receives it.
fn deliver_pending(
    reading: Reading,
    form: StreamedRepresentation,
    meta: Arc<ResponseMeta>,
    route: Arc<Route>,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    exchange.record.status = Some(meta.status);
    let content_type = meta.head.get(Name::ContentType).unwrap_or_default();
    exchange.record.tell_type(cx.shared.settings.log.as_ref(), content_type);
    exchange.record.origin = meta.origin;
    exchange.cache_status.stored = meta.storing.is_ok();
    let not_stored = meta.storing.as_ref().err().copied();
    exchange.cache_status.detail = not_stored.map(NotStored::name);
    exchange.record.not_stored = not_stored;
    if matches!(exchange.request.method(), Method::Get | Method::Head) {
        let key = route.key(cx.shared.cache.keys());
        cx.shared.not_stored.note(&key, not_stored, cx.now());
    }
    let whole = exchange.edited(&meta.head);
    let forms = (form, &*whole);
    let shape = compression::of_pending(reading, &meta, forms, &route, exchange, connection, cx);
    let head = shape.head(whole, exchange.request.fields());
    if !matches!(form, StreamedRepresentation::Whole) {
        return deliver_part(reading, form, &head, exchange, connection, cx);
    }
    let version = exchange.request.version();
    let (reading, coding) = match shape.pending(version, &mut exchange.persistence) {
        Some(coded) => {
            reading.release(cx.reactor, cx.shared);
            coded
        }
        None => match http1::frame(&meta, version, &mut exchange.persistence) {
            Ok(coding) => (reading, coding),
            Err(error) => {
                drop(head);
                let delivery = Delivery::Pending { reading, meta, form, route };
                return Next::fail(State::Deliver(delivery), error);
            }
        },
    };
    let out = connection.output.bytes();
    out.reserve(head.wire().len() + ADDED);
    out.extend_from_slice(head.wire());
    if let (Some(cookie), Err(_)) = (&meta.sticky, &meta.storing) {
        HeadWriter::resume(out).field("Set-Cookie", cookie.as_bytes());
    }
    end_head(HeadWriter::resume(out), coding, exchange, &cx.shared.settings.name);
    let source = Source::Pending { reading, left: None };
    transmit(source, coding)
}

/// Delivers a part of a response of known length while the fetch receives it.
fn deliver_part(
    reading: Reading,
    form: StreamedRepresentation,
    head: &Fields,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let (at, end) = form.extent();
    exchange.record.status = Some(form.status());
    let out = connection.output.bytes();
    out.reserve(head.wire().len() + ADDED);
    form.write_head(out, head);
    let coding = TransferCoding::Identity;
    end_head(HeadWriter::resume(out), coding, exchange, &cx.shared.settings.name);
    if at == end {
        reading.release(cx.reactor, cx.shared);
        return Next::Go(State::Finish);
    }
    let pending = &mut cx.shared.responses[reading.response];
    pending.body.skip_to(reading.reader, at, cx.reactor);
    cx.shared.account(reading.response); // the content that was skipped may have been dropped
    let source = Source::Pending { reading, left: Some(end - at) };
    transmit(source, coding)
}

/// Delivers a stored response: whole, in parts, or as a 304.
fn deliver_stored(
    object: Arc<Object>,
    route: &Route,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let now = cx.reactor.now();
    exchange.cache_status.ttl = Some(object.freshness().time_to_live(now.mono));
    let age = object.freshness().age(now.mono).as_secs();
    let form = form_of(&exchange.request, &object, route, cx);
    exchange.record.status = Some(form.status(object.status));
    let content_type = object.head.get(Name::ContentType).unwrap_or_default();
    exchange
        .record
        .tell_type(cx.shared.settings.log.as_ref(), form.content_type().unwrap_or(content_type));
    let whole = exchange.edited(&object.head);
    let shape = compression::of_stored(&object, (&form, &whole), route, exchange, connection, cx);
    let stored = shape.stored();
    let length = stored.map_or(object.length(), |(_, length)| length);
    let (at, end) = extent(&form, &exchange.request, length);

    // Content that is limited by time is sent as longer content is.
    let is_copied = end - at <= COPIED && !cx.shared.throttling.tables.has_bandwidth();
    let copied = if is_copied { usize::try_from(end - at).unwrap_or(0) } else { 0 };
    let out = connection.output.bytes();
    let whole = shape.head(whole, exchange.request.fields());
    out.reserve(whole.wire().len() + ADDED + copied);
    form.write_head(out, &whole, length);
    let mut head = HeadWriter::resume(out);
    head.number("Age", age);
    let version = exchange.request.version();
    if let Some((reading, coding)) = shape.pending(version, &mut exchange.persistence) {
        end_head(head, coding, exchange, &cx.shared.settings.name);
        let source = Source::Pending { reading, left: None };
        return transmit(source, coding);
    }
    drop(whole);
    let coding = TransferCoding::Identity;
    end_head(head, coding, exchange, &cx.shared.settings.name);
    let parts = if let Representation::Parts(parts) = form { Some(parts) } else { None };
    if parts.is_none() && (is_copied || at == end) {
        let out = connection.output.bytes();
        match stored.and_then(|(coding, _)| object.coded(coding)) {
            Some(form) => copy_content(out, form.from(at), end - at),
            None => copy_content(out, object.content.from(at), end - at),
        }
        exchange.record.sent = end - at;
        return Next::Go(State::Finish);
    }
    let source =
        Source::Stored { object, coding: stored.map(|(coding, _)| coding), at, end, parts };
    transmit(source, coding)
}

/// Delivers a short response, whose content is copied.
fn deliver_direct(
    response: &DirectResponse,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &ClientCx<'_>,
) -> Next {
    let DirectResponse { status, head, content, not_stored } = response;
    exchange.record.status = Some(*status);
    let content_type = head.get(Name::ContentType).unwrap_or_default();
    exchange.record.tell_type(cx.shared.settings.log.as_ref(), content_type);
    exchange.cache_status.detail = Some(not_stored.name());
    let out = connection.output.bytes();
    let head = exchange.edited(head);
    out.reserve(head.wire().len() + ADDED + content.len());
    out.extend_from_slice(head.wire());
    let coding = TransferCoding::Identity;
    end_head(HeadWriter::resume(out), coding, exchange, &cx.shared.settings.name);
    connection.output.bytes().extend_from_slice(content);
    exchange.record.sent = content.len() as u64;
    Next::Go(State::Finish)
}

/// Delivers a file: whole, in parts, or as a 304.
fn deliver_file(
    response: FileResponse,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    let form = file::form_of(&response, exchange, cx);
    let whole = exchange.edited(&response.head);
    let shape = compression::of_file(&response, (&form, &whole), exchange, connection, cx);
    drop(whole);
    let FileResponse { file, head, status } = response;
    let length = file.version.length;
    exchange.record.status = Some(form.status(status));
    exchange.cache_status.detail = Some("file");
    let content_type = head.get(Name::ContentType).unwrap_or_default();
    exchange
        .record
        .tell_type(cx.shared.settings.log.as_ref(), form.content_type().unwrap_or(content_type));
    let (at, end) = extent(&form, &exchange.request, length);
    let out = connection.output.bytes();
    form.write_head(out, &shape.head(exchange.edited(&head), exchange.request.fields()), length);
    let version = exchange.request.version();
    if let Some((reading, coding)) = shape.pending(version, &mut exchange.persistence) {
        end_head(HeadWriter::resume(out), coding, exchange, &cx.shared.settings.name);
        let source = Source::Pending { reading, left: None };
        return transmit(source, coding);
    }
    let coding = TransferCoding::Identity;
    end_head(HeadWriter::resume(out), coding, exchange, &cx.shared.settings.name);
    let parts = if let Representation::Parts(parts) = form { Some(parts) } else { None };
    if parts.is_none() && at == end {
        return Next::Go(State::Finish);
    }
    let source = Source::File(Box::new(FileSource::new(file, (at, end), parts)));
    transmit(source, coding)
}

/// Returns the form in which a stored response answers the request. The boundary between parts differs
/// each time, so that no content can contain it.
fn form_of(
    request: &RequestHead,
    object: &Object,
    route: &Route,
    cx: &ClientCx<'_>,
) -> Representation {
    if object.status != Status::OK {
        return Representation::Whole;
    }
    Representation::of(request, &object.head, object.length(), || {
        let moment = format!("{:?} {}", cx.reactor.now().wall, route.uri);
        cx.shared.cache.keys().keyed_pair(&moment)
    })
}

/// Returns the first byte of content to send, and one past the last; none of several parts, which follow one
/// by one.
fn extent(form: &Representation, request: &RequestHead, length: u64) -> (u64, u64) {
    match form {
        _ if request.method() == Method::Head => (0, 0),
        Representation::Whole => (0, length),
        &Representation::Part(first, end) => (first, end),
        Representation::NotModified | Representation::Unsatisfiable | Representation::Parts(_) => {
            (0, 0)
        }
    }
}

/// Appends the next `length` bytes of stored content.
fn copy_content<'a>(out: &mut Vec<u8>, pieces: impl Iterator<Item = &'a [u8]>, length: u64) {
    let mut left = usize::try_from(length).unwrap_or(usize::MAX);
    for piece in pieces {
        let n = piece.len().min(left);
        out.extend_from_slice(&piece[..n]);
        left -= n;
    }
}

/// Ends the head with the fields that every response gets.
fn end_head(mut head: HeadWriter<'_>, coding: TransferCoding, exchange: &Exchange, name: &str) {
    exchange.cache_status.write_to(&mut head, name);
    exchange.auth_info.iter().for_each(|info| info.write_to(&mut head));
    respond::write_hsts(&mut head, exchange.hsts);
    http1::end_head(&mut head, coding, exchange.request.version(), exchange.persistence);
}

/// Has the content sent.
const fn transmit(source: Source, coding: TransferCoding) -> Next {
    Next::Go(State::Transmit(Transmission { source, coding, ended: false, turn: None }))
}
