//! Inputs: the content that is coded, piece by piece.

use std::io;
use std::sync::Arc;

use crate::cache::Object;
use crate::coding::{Next, coded_trailers};
use crate::http::Fields;
use crate::proxy::error::{ExchangeError, FileError};
use crate::proxy::files::{FileAnswer, OpenFile};
use crate::proxy::jobs::{JobId, Lane};
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::State;
use crate::proxy::transfer::coded_responses::Uncoded;
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::proxy::transfer::readers::ReaderKey;
use crate::reactor::{Id, Reactor, Token};

/// Most bytes that are coded at a time.
const PIECE: usize = 64 * 1024;

/// Content that can be compressed.
#[derive(Debug)]
pub(crate) enum Uncompressed {
    /// That of a response in flight, from its start.
    Response(Id<PendingResponse>),
    /// That of a stored object, which is complete.
    Object(Arc<Object>),
    /// That of a file.
    File(Arc<OpenFile>),
}

impl Uncompressed {
    /// Returns the name by which other clients find the content; that of a file has none.
    pub(super) fn name(&self) -> Option<Uncoded> {
        match self {
            Self::Response(response) => Some(Uncoded::Response(*response)),
            Self::Object(object) => Some(Uncoded::of_object(object)),
            Self::File(_) => None,
        }
    }
}

/// Content that is being read.
#[derive(Debug)]
pub(super) enum Input {
    Response { response: Id<PendingResponse>, reader: ReaderKey },
    Object { object: Arc<Object>, at: u64 },
    File { file: Arc<OpenFile>, at: u64, job: Option<JobId> },
}

/// Content that comes next.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Next,
    /// Trailers behind the last piece.
    pub(super) trailers: Option<Fields>,
}

impl Piece {
    const fn of(bytes: Vec<u8>, next: Next) -> Self {
        Self { bytes, next, trailers: None }
    }
}

impl Input {
    /// Begins to read for `owner`. `None` if the start of the content is gone.
    pub(super) fn begin(content: Uncompressed, owner: Token, shared: &mut Shared) -> Option<Self> {
        Some(match content {
            Uncompressed::Response(response) => {
                let reader = shared.responses.get_mut(response)?.body.attach(owner)?;
                Self::Response { response, reader }
            }
            Uncompressed::Object(object) => Self::Object { object, at: 0 },
            Uncompressed::File(file) => Self::File { file, at: 0, job: None },
        })
    }

    /// Takes the next piece. `None` if there is none yet: `owner` will be woken.
    ///
    /// # Errors
    /// The content has failed, and all of it before that was taken.
    pub(super) fn next(
        &mut self,
        owner: Token,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Result<Option<Piece>, ExchangeError> {
        match self {
            Self::Response { response, reader } => {
                next_of_response(*response, *reader, reactor, shared)
            }
            Self::Object { object, at } => Ok(Some(next_of_object(object, at))),
            Self::File { file, at, job } => {
                if let Some(id) = job {
                    let Some(FileAnswer::Read(buffer, read)) = shared.jobs.take(*id) else {
                        return Ok(None);
                    };
                    *job = None;
                    return next_of_file(file, at, buffer, read).map(Some);
                }
                let left = usize::try_from(file.version.length - *at).unwrap_or(usize::MAX);
                let mut buffer = vec![0; left.min(PIECE)];
                let read = file.read_at(&mut buffer, *at, true);
                if !matches!(&read, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                    return next_of_file(file, at, buffer, read).map(Some);
                }
                let (file, at) = (Arc::clone(file), *at);
                let work = move || {
                    let read = file.read_at(&mut buffer, at, false);
                    FileAnswer::Read(buffer, read)
                };
                let begun = shared.jobs.begin((Lane::Files, owner), work, reactor);
                *job = Some(begun.map_err(|_| ExchangeError::Overloaded)?);
                Ok(None)
            }
        }
    }

    /// Returns the object that has the content, if it is stored.
    pub(super) fn object(&self, shared: &Shared) -> Option<Arc<Object>> {
        match self {
            Self::Response { response, .. } => shared.responses.get(*response)?.object.clone(),
            Self::Object { object, .. } => Some(Arc::clone(object)),
            Self::File { .. } => None,
        }
    }

    /// Stops reading.
    pub(super) fn release(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        match self {
            Self::Response { response, reader } => {
                shared.leave_response(*response, *reader, reactor);
            }
            Self::Object { .. } => {}
            Self::File { job, .. } => job.iter().for_each(|job| shared.jobs.leave(*job)),
        }
    }
}

fn next_of_response(
    response: Id<PendingResponse>,
    reader: ReaderKey,
    reactor: &mut Reactor<Mail>,
    shared: &mut Shared,
) -> Result<Option<Piece>, ExchangeError> {
    let body = &mut shared.responses[response].body;
    if body.was_dropped(reader) {
        return Err(ExchangeError::Overloaded);
    }
    let mut bytes = Vec::new();
    body.read(reader, PIECE, &mut bytes, reactor);
    let piece = match body.state() {
        _ if body.available(reader) > 0 => Piece::of(bytes, Next::More),
        State::Complete(trailers) => {
            Piece { trailers: trailers.as_ref().map(coded_trailers), ..Piece::of(bytes, Next::End) }
        }
        State::Failed(error) if bytes.is_empty() => return Err(error.clone()),
        State::Streaming if bytes.is_empty() => {
            body.park(reader);
            return Ok(None);
        }
        State::Failed(_) | State::Streaming => Piece::of(bytes, Next::Pause),
    };
    shared.account(response);
    Ok(Some(piece))
}

fn next_of_object(object: &Object, at: &mut u64) -> Piece {
    let mut bytes = Vec::new();
    for part in object.content.from(*at) {
        let n = part.len().min(PIECE - bytes.len());
        bytes.extend_from_slice(&part[..n]);
        if bytes.len() == PIECE {
            break;
        }
    }
    *at += bytes.len() as u64;
    Piece::of(bytes, if *at == object.length() { Next::End } else { Next::More })
}

/// Returns the piece that was read into a buffer.
fn next_of_file(
    file: &OpenFile,
    at: &mut u64,
    mut buffer: Vec<u8>,
    read: io::Result<usize>,
) -> Result<Piece, ExchangeError> {
    let read = read.map_err(|error| FileError::of(&error))?;
    if read == 0 && *at < file.version.length {
        return Err(FileError::Shrunk.into());
    }
    buffer.truncate(read);
    *at += read as u64;
    Ok(Piece::of(buffer, if *at == file.version.length { Next::End } else { Next::More }))
}
