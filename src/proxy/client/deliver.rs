//! Deliver: the head of the answer, in the form that this client and its request call for.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::Object;
use crate::http::{Framing, HeadWriter, Method, Name, ParseError, Status, Version};
use crate::proxy::error::ExchangeError;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::State;
use crate::proxy::transfer::pending_response::{FetchResult, ResponseMeta};
use crate::proxy::transfer::representation::{Representation, StreamedRepresentation};
use crate::proxy::transfer::send_buffer::TransferCoding;
use crate::time::Now;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::{Exchange, Source, Upload};
use super::step::{Next, Step};

/// Content up to this many bytes is copied behind its head: that costs less than another slice, and
/// lets answers to pipelined requests leave together.
const COPIED: u64 = 4 * 1024;
/// About as many bytes are added to each head.
const ADDED: usize = 160;

/// Writes the head, and says where its content comes from.
pub(super) fn deliver(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    // An answer that comes before all of the request says that the rest may not be read
    // (RFC 9110 §10.1.1).
    exchange.persistent &= !cx.shared.draining && exchange.upload == Upload::Done;
    match &exchange.source {
        Source::Stored { object, .. } => {
            let object = Arc::clone(object);
            deliver_stored(client, &object, cx)
        }
        &Source::Pending { id, .. } => {
            let Some(response) = cx.shared.responses.get(id) else { return Next::Go(Step::Wait) };
            if let State::Failed(error) = response.body.state() {
                let error = error.clone(); // it can still be told, since nothing else was
                return Next::Go(client.fail(&error, cx));
            }
            let Some(FetchResult::Response(answer)) = &response.result else {
                return Next::Go(Step::Wait);
            };
            let answer = Rc::clone(answer);
            deliver_streamed(client, &answer, cx)
        }
        Source::None => Next::Go(Step::Finish),
    }
}

/// A response while it comes in.
fn deliver_streamed(client: &mut Client, answer: &ResponseMeta, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    exchange.record.status = Some(answer.status);
    let content_type = answer.head.get(Name::ContentType).unwrap_or_default();
    exchange.record.tell_type(cx.shared.settings.log, content_type);
    exchange.record.origin = answer.origin;
    exchange.cache_status.stored = answer.storing.is_ok();
    exchange.cache_status.detail = answer.storing.as_ref().err().map(|reason| reason.name());
    let http11 = exchange.request.version() == Version::Http11;
    let has_content = answer.framing != Framing::None;
    if let Some(form) = StreamedRepresentation::of(&exchange.request, answer)
        && !matches!(form, StreamedRepresentation::Whole)
    {
        return deliver_part(client, answer, form, cx);
    }
    // Without a length and without chunks, the end of the content is the end of the connection.
    let coded = answer.head.has(Name::TransferEncoding);
    if coded && !http11 {
        // RFC 9112 §6.1: HTTP/1.0 knows no transfer codings, and this one cannot be undone here.
        return Next::Go(
            client.fail(&ExchangeError::BadResponse(ParseError::UnknownTransferEncoding), cx),
        );
    }
    let until_close = has_content && answer.framing.length().is_none() && (coded || !http11);
    exchange.until_close = until_close;
    exchange.persistent &= !until_close;
    let chunked = has_content && answer.framing.length().is_none() && !until_close;
    exchange.coding = if chunked { TransferCoding::Chunked } else { TransferCoding::Identity };

    let out = client.output.bytes();
    out.reserve(answer.head.wire().len() + ADDED);
    out.extend_from_slice(answer.head.wire());
    let mut head = HeadWriter::resume(out);
    if chunked {
        head.field("Transfer-Encoding", b"chunked");
    }
    end_head(head, exchange, &cx.shared.settings.name);
    Next::Go(Step::Transmit)
}

/// A part of a response while that comes in, of which the length is known.
fn deliver_part(
    client: &mut Client,
    answer: &ResponseMeta,
    form: StreamedRepresentation,
    cx: &mut ClientCx<'_>,
) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let (at, end) = form.extent();
    exchange.record.status = Some(form.status());
    exchange.coding = TransferCoding::Identity;
    let out = client.output.bytes();
    out.reserve(answer.head.wire().len() + ADDED);
    form.write_head(out, answer);
    end_head(HeadWriter::resume(out), exchange, &cx.shared.settings.name);
    if at == end {
        return Next::Go(Step::Finish);
    }
    if let Source::Pending { id, reader, left, .. } = &mut exchange.source {
        *left = Some(end - at);
        if let Some(response) = cx.shared.responses.get_mut(*id) {
            response.body.skip_to(*reader, at, cx.reactor);
        }
        cx.shared.account(*id); // what was skipped may be gone
    }
    Next::Go(Step::Transmit)
}

/// A stored response: whole, parts of it, or word that the client has it already.
fn deliver_stored(client: &mut Client, object: &Object, cx: &mut ClientCx<'_>) -> Next {
    let now = cx.reactor.now();
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let name = &cx.shared.settings.name;
    exchange.cache_status.ttl = Some(object.freshness().time_to_live(now.mono));
    let age = object.freshness().age(now.mono).as_secs();
    let form = form_of(exchange, object, cx.shared, now);
    exchange.record.status = Some(form.status(object.status));
    let content_type = object.head.get(Name::ContentType).unwrap_or_default();
    exchange.record.tell_type(cx.shared.settings.log, form.content_type().unwrap_or(content_type));
    let (at, end) = match &form {
        _ if exchange.request.method() == Method::Head => (0, 0),
        Representation::Whole => (0, object.length()),
        &Representation::Part(first, end) => (first, end),
        Representation::NotModified | Representation::Unsatisfiable | Representation::Parts(_) => {
            (0, 0)
        }
    };

    let copied = if end - at <= COPIED { usize::try_from(end - at).unwrap_or(0) } else { 0 };
    let out = client.output.bytes();
    out.reserve(object.head.wire().len() + ADDED + copied);
    form.write_head(out, &object.head, object.length());
    let mut head = HeadWriter::resume(out);
    head.number("Age", age);
    end_head(head, exchange, name);
    let several = if let Representation::Parts(parts) = form { Some(parts) } else { None };
    if several.is_none() && end - at <= COPIED {
        copy_content(client.output.bytes(), object, at, end);
        exchange.record.sent = end - at;
        return Next::Go(Step::Finish);
    }
    if let Source::Stored { at: from, end: to, parts, .. } = &mut exchange.source {
        (*from, *to, *parts) = (at, end, several);
    }
    Next::Go(Step::Transmit)
}

/// In what form a stored response answers. The line between several parts is another one each time,
/// so that nobody can put it into content.
fn form_of(exchange: &Exchange, object: &Object, shared: &Shared, now: Now) -> Representation {
    if object.status != Status::OK {
        return Representation::Whole;
    }
    Representation::of(&exchange.request, &object.head, object.length(), || {
        let uri = exchange.route.as_ref().map_or("", |route| &route.uri);
        shared.cache.keys().keyed_pair(&format!("{:?} {uri}", now.wall))
    })
}

fn copy_content(out: &mut Vec<u8>, object: &Object, at: u64, end: u64) {
    let mut left = usize::try_from(end - at).unwrap_or(usize::MAX);
    for piece in object.content.from(at) {
        let n = piece.len().min(left);
        out.extend_from_slice(&piece[..n]);
        left -= n;
    }
}

/// What every answer ends with.
fn end_head(mut head: HeadWriter<'_>, exchange: &Exchange, name: &str) {
    exchange.cache_status.write_to(&mut head, name);
    exchange.info.iter().for_each(|info| info.write_to(&mut head));
    if !exchange.persistent {
        head.field("Connection", b"close");
    } else if exchange.request.version() == Version::Http10 {
        head.field("Connection", b"keep-alive");
    }
    head.end();
}
