//! Deliver: the head of the answer, in the form that this client and its request call for.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::Object;
use crate::http::cond::Validators;
use crate::http::range::{self, ByteRange};
use crate::http::{Framing, HeadWriter, Method, Name, Refusal, Status, Version};

use super::super::body::State;
use super::super::client::{Client, ClientCx, Exchange, Next, Source, Step, Upload};
use super::super::error::ExchangeError;
use super::super::outgoing::Coding;
use super::super::reply::{Answer, Brought};

/// Content up to this many bytes is copied behind its head: that costs less than another slice, and
/// lets answers to pipelined requests leave together.
const COPIED: u64 = 4 * 1024;
/// About as many bytes are added to each head.
const ADDED: usize = 160;

/// Writes the head, and says where its content comes from.
pub(in super::super) fn deliver(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    // An answer that comes before all of the request says that the rest may not be read
    // (RFC 9110 §10.1.1).
    exchange.persistent &= !cx.core.draining && exchange.upload == Upload::Done;
    match &exchange.source {
        Source::Stored { object, .. } => {
            let object = Arc::clone(object);
            deliver_stored(client, &object, cx)
        }
        &Source::Reply { id, .. } => {
            let Some(reply) = cx.core.replies.get(id) else { return Next::Go(Step::Wait) };
            if let State::Failed(error) = reply.body.state() {
                let error = error.clone(); // it can still be told, since nothing else was
                return Next::Go(client.fail(&error, cx));
            }
            let Some(Brought::Response(answer)) = &reply.brought else {
                return Next::Go(Step::Wait);
            };
            let answer = Rc::clone(answer);
            deliver_streamed(client, &answer, cx)
        }
        Source::None => Next::Go(Step::Finish),
    }
}

/// A response while it comes in.
fn deliver_streamed(client: &mut Client, answer: &Answer, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    exchange.journal.status = Some(answer.status);
    exchange.journal.origin = answer.origin;
    exchange.cache_status.stored = answer.storing.is_ok();
    exchange.cache_status.detail = answer.storing.as_ref().err().map(|reason| reason.name());
    let http11 = exchange.request.version() == Version::Http11;
    let has_content = answer.framing != Framing::None;
    // Without a length and without chunks, the end of the content is the end of the connection.
    let coded = answer.head.has(Name::TransferEncoding);
    if coded && !http11 {
        // RFC 9112 §6.1: HTTP/1.0 knows no transfer codings, and this one cannot be undone here.
        return Next::Go(
            client.fail(&ExchangeError::BadResponse(Refusal::UnknownTransferEncoding), cx),
        );
    }
    let until_close = has_content && answer.framing.length().is_none() && (coded || !http11);
    exchange.until_close = until_close;
    exchange.persistent &= !until_close;
    let chunked = has_content && answer.framing.length().is_none() && !until_close;
    exchange.coding = if chunked { Coding::Chunked } else { Coding::Identity };

    let out = client.output.bytes();
    out.reserve(answer.head.wire().len() + ADDED);
    out.extend_from_slice(answer.head.wire());
    let mut head = HeadWriter::resume(out);
    if chunked {
        head.field("Transfer-Encoding", b"chunked");
    }
    end_head(head, exchange, &cx.core.settings.name);
    Next::Go(Step::Transmit)
}

/// A stored response: whole, a part of it, or word that the client has it already.
fn deliver_stored(client: &mut Client, object: &Object, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let name = &cx.core.settings.name;
    let now = cx.reactor.now().mono;
    exchange.cache_status.ttl = Some(object.freshness.time_to_live(now));
    let age = object.freshness.age(now).as_secs();
    let form = form_of(exchange, object);
    let (status, at, end) = match form {
        Form::Whole => (object.status, 0, object.length()),
        Form::NotModified => (Status::NOT_MODIFIED, 0, 0),
        Form::Part(first, end) => (Status::PARTIAL_CONTENT, first, end),
        Form::Unsatisfiable => (Status::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    exchange.journal.status = Some(status);
    let head_only = exchange.request.method() == Method::Head;
    let (at, end) = if head_only { (0, 0) } else { (at, end) };

    let copied = if end - at <= COPIED { usize::try_from(end - at).unwrap_or(0) } else { 0 };
    let out = client.output.bytes();
    out.reserve(object.head.wire().len() + ADDED + copied);
    if form == Form::Whole {
        out.extend_from_slice(object.head.wire());
    } else {
        write_other_form(out, object, form, status);
    }
    let mut head = HeadWriter::resume(out);
    head.number("Age", age);
    end_head(head, exchange, name);
    if end - at <= COPIED {
        copy_content(client.output.bytes(), object, at, end);
        exchange.journal.sent = end - at;
        return Next::Go(Step::Finish);
    }
    if let Source::Stored { at: from, end: to, .. } = &mut exchange.source {
        (*from, *to) = (at, end);
    }
    Next::Go(Step::Transmit)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    NotModified,
    Part(u64, u64),
    Unsatisfiable,
}

/// What the request's preconditions and range make of a stored response (RFC 9110 §13.2.2).
fn form_of(exchange: &Exchange, object: &Object) -> Form {
    let request = exchange.request.fields();
    if object.status != Status::OK {
        return Form::Whole;
    }
    let conditional = request.has(Name::IfNoneMatch) || request.has(Name::IfModifiedSince);
    if conditional && Validators::of(&object.head).not_modified(request) {
        return Form::NotModified;
    }
    if exchange.request.method() != Method::Get || !request.has(Name::Range) {
        return Form::Whole;
    }
    match range::parse(request).as_deref() {
        Some(&[range]) if Validators::of(&object.head).range_applies(request) => {
            part(range, object.length())
        }
        _ => Form::Whole,
    }
}

fn part(range: ByteRange, length: u64) -> Form {
    range.within(length).map_or(Form::Unsatisfiable, |(first, end)| Form::Part(first, end))
}

/// The head of another answer than the whole, made from the stored one.
fn write_other_form(out: &mut Vec<u8>, object: &Object, form: Form, status: Status) {
    let mut head = HeadWriter::response(out, status, status.reason().as_bytes());
    let describes_content =
        |id| matches!(id, Name::ContentLength | Name::ContentType | Name::ContentEncoding);
    match form {
        Form::Part(first, end) => {
            head.copy_if(&object.head, |field| field.id != Name::ContentLength);
            let range = range::content_range(first, end, object.length());
            head.field("Content-Range", range.as_bytes()).number("Content-Length", end - first);
        }
        Form::Unsatisfiable => {
            head.copy_if(&object.head, |field| !describes_content(field.id));
            let range = range::unsatisfied(object.length());
            head.field("Content-Range", range.as_bytes()).number("Content-Length", 0);
        }
        Form::NotModified | Form::Whole => {
            head.copy_if(&object.head, |field| !describes_content(field.id));
        }
    }
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
    if !exchange.persistent {
        head.field("Connection", b"close");
    } else if exchange.request.version() == Version::Http10 {
        head.field("Connection", b"keep-alive");
    }
    head.end();
}
