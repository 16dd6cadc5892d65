//! File: the file of a folder answers the request.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use crate::files::{entity_tag, media_type};
use crate::http::cond::Validators;
use crate::http::{ContentCoding, Fields, HeadWriter, Method, Status, date};
use crate::proxy::auth::path_of;
use crate::proxy::error::{ExchangeError, FileError};
use crate::proxy::files::{FileAnswer, Found, OpenFile, find};
use crate::proxy::jobs::Lane;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::transfer::representation::Representation;
use crate::reactor::Token;

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::respond;
use super::source::FileSource;
use super::state::{Delivery, FileResponse, Next, Opening, State};

/// Opens the file: at once if the system has its name in memory, otherwise by a thread.
pub(super) fn open(
    mut opening: Opening,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if connection.is_reset(cx) {
        return Next::Gone(State::Open(opening));
    }
    if !matches!(exchange.request.method(), Method::Get | Method::Head) {
        return Next::fail(State::Open(opening), FileError::Method.into());
    }
    let found = match opening.job {
        None => find(&opening.wanted, true),
        Some(job) => match cx.shared.jobs.take(job) {
            Some(FileAnswer::Found(found)) => {
                opening.job = None;
                found
            }
            _ => return Next::Park(State::Open(opening)),
        },
    };
    match found {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let wanted = Arc::clone(&opening.wanted);
            let work = move || FileAnswer::Found(find(&wanted, false));
            match cx.shared.jobs.begin((Lane::Files, connection.token), work, cx.reactor) {
                Ok(job) => opening.job = Some(job),
                Err(_) => return Next::fail(State::Open(opening), ExchangeError::Overloaded),
            }
            Next::Park(State::Open(opening))
        }
        Err(error) => Next::fail(State::Open(opening), FileError::of(&error).into()),
        Ok(found) => answer(found, opening, exchange, connection, cx),
    }
}

fn answer(
    found: Found,
    opening: Opening,
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    match found {
        Found::Folder => {
            let path = path_of(&exchange.request);
            let query = &exchange.request.path_and_query()[path.len()..];
            // A path that begins with two slashes would be read as a host (RFC 3986 §4.2).
            let dot = if path.starts_with("//") { "/." } else { "" };
            let location = [dot, path, "/", query].concat();
            exchange.respond(connection, cx, |out, _, context| {
                respond::redirect(out, Status::MOVED_PERMANENTLY, &location, context)
            })
        }
        Found::Listing(page) => exchange.respond(connection, cx, |out, _, context| {
            respond::page(out, page.as_bytes(), context)
        }),
        Found::File(file, status) => {
            let head = head_of(&file, status, cx);
            if status == Status::OK
                && Validators::of(&head).precondition_fails(exchange.request.fields())
            {
                return Next::fail(State::Open(opening), FileError::Precondition.into());
            }
            exchange.record.outcome = Outcome::Own;
            let response = FileResponse { file, head, status };
            Next::Go(State::Deliver(Delivery::File(Box::new(response))))
        }
    }
}

/// Returns the head of a response with the whole file.
fn head_of(file: &OpenFile, status: Status, cx: &ClientCx<'_>) -> Fields {
    let mut start_line = Vec::new();
    HeadWriter::response(&mut start_line, status, status.reason().as_bytes());
    let mut head = Fields::after(start_line, 9);
    head.push(b"Date", date::format(cx.reactor.now().wall).as_bytes());
    head.push(b"Content-Type", media_type(file.path()).as_bytes());
    head.push(b"Content-Length", file.version.length.to_string().as_bytes());
    head.push(b"X-Content-Type-Options", b"nosniff");
    if status == Status::OK {
        let coding = file.coding.map(ContentCoding::name);
        head.push(b"ETag", entity_tag(&file.version, coding).as_bytes());
        head.push(b"Last-Modified", date::format(file.modified).as_bytes());
        head.push(b"Accept-Ranges", b"bytes");
    }
    if let Some(coding) = file.coding {
        head.push(b"Content-Encoding", coding.name().as_bytes());
    }
    if file.varies {
        head.push(b"Vary", b"Accept-Encoding");
    }
    head
}

/// Returns the form in which a file answers the request, and the source of its content.
pub(super) fn form_of(
    response: &FileResponse,
    exchange: &Exchange,
    cx: &ClientCx<'_>,
) -> Representation {
    if response.status != Status::OK {
        return Representation::Whole;
    }
    let length = response.file.version.length;
    Representation::of(&exchange.request, &response.head, length, || {
        let moment = format!("{:?} {:?}", cx.reactor.now().wall, response.file.version);
        cx.shared.cache.keys().keyed_pair(&moment)
    })
}

/// Reads the next bytes of the file into the buffer: at once if the system has them in memory, otherwise
/// by a thread.
///
/// # Errors
/// The file cannot be read, or has become shorter.
pub(super) fn fill(
    source: &mut FileSource,
    client: Token,
    cx: &mut ClientCx<'_>,
) -> Poll<Result<(), ExchangeError>> {
    let read = match source.job {
        Some(job) => match cx.shared.jobs.take(job) {
            Some(FileAnswer::Read(buffer, read)) => {
                (source.job, source.buffer) = (None, buffer);
                read
            }
            _ => return Poll::Pending,
        },
        None => {
            source.make_room();
            source.file.read_at(&mut source.buffer, source.at, true)
        }
    };
    match read {
        Ok(0) => Poll::Ready(Err(FileError::Shrunk.into())),
        Ok(bytes) => {
            source.filled = bytes;
            source.taken = 0;
            Poll::Ready(Ok(()))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let (file, at) = (Arc::clone(&source.file), source.at);
            let mut buffer = std::mem::take(&mut source.buffer);
            let work = move || {
                let read = file.read_at(&mut buffer, at, false);
                FileAnswer::Read(buffer, read)
            };
            match cx.shared.jobs.begin((Lane::Files, client), work, cx.reactor) {
                Ok(job) => source.job = Some(job),
                Err(_) => return Poll::Ready(Err(ExchangeError::Overloaded)),
            }
            Poll::Pending
        }
        Err(error) => Poll::Ready(Err(FileError::of(&error).into())),
    }
}
