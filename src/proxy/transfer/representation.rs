//! The part of a representation that answers a request: the whole, ranges of it, or none of its
//! content.

use crate::http::cond::{self, Validators};
use crate::http::range::{self, Part, Selected};
use crate::http::{Fields, HeadWriter, Method, Multipart, Name, RequestHead, Status};

use super::pending_response::ResponseMeta;

/// The selected part of a complete representation.
#[derive(Debug)]
pub(crate) enum Representation {
    Whole,
    /// No content (304): the client has the representation.
    NotModified,
    /// A range, from its first byte to one past its last.
    Part(u64, u64),
    Parts(Box<Multipart>),
    Unsatisfiable,
}

impl Representation {
    /// Evaluates the preconditions and ranges of a request (RFC 9110 §13.2.2) against a 200 with
    /// this head and `length`. The boundary of several parts is derived from `secret`.
    pub(crate) fn of(
        request: &RequestHead,
        head: &Fields,
        length: u64,
        secret: impl FnOnce() -> [u64; 2],
    ) -> Self {
        let fields = request.fields();
        if cond::is_conditional(fields) && Validators::of(head).not_modified(fields) {
            return Self::NotModified;
        }
        if request.method() != Method::Get || !fields.has(Name::Range) {
            return Self::Whole;
        }
        match range::select(fields, &Validators::of(head), length) {
            Selected::Whole => Self::Whole,
            Selected::Nothing => Self::Unsatisfiable,
            Selected::Parts(parts) => match parts[..] {
                [(first, end)] => Self::Part(first, end),
                _ => {
                    let kind = head.only(Name::ContentType);
                    Self::Parts(Box::new(Multipart::new(parts, length, kind, secret())))
                }
            },
        }
    }

    /// Returns the status of the response, given that of the whole.
    pub(crate) const fn status(&self, whole: Status) -> Status {
        match self {
            Self::Whole => whole,
            Self::NotModified => Status::NOT_MODIFIED,
            Self::Part(..) | Self::Parts(_) => Status::PARTIAL_CONTENT,
            Self::Unsatisfiable => Status::RANGE_NOT_SATISFIABLE,
        }
    }

    /// Returns the content type, if it differs from that of the whole.
    pub(crate) fn content_type(&self) -> Option<&[u8]> {
        match self {
            Self::Parts(_) => Some(b"multipart/byteranges"),
            _ => None,
        }
    }

    /// Writes the head of the response, without the empty line: the head of the whole, whose length
    /// is `length`, or one derived from it.
    pub(crate) fn write_head(&self, out: &mut Vec<u8>, whole: &Fields, length: u64) {
        if matches!(self, Self::Whole) {
            return out.extend_from_slice(whole.wire());
        }
        let status = self.status(Status::OK);
        let mut head = HeadWriter::response(out, status, status.reason().as_bytes());
        let describes_content =
            |id| matches!(id, Name::ContentLength | Name::ContentType | Name::ContentEncoding);
        match self {
            &Self::Part(first, end) => {
                head.copy_if(whole, |field| field.id != Name::ContentLength);
                let range = range::content_range(first, end, length);
                head.field("Content-Range", range.as_bytes()).number("Content-Length", end - first);
            }
            Self::Parts(parts) => {
                let differs = |id| matches!(id, Name::ContentLength | Name::ContentType);
                head.copy_if(whole, |field| !differs(field.id));
                head.field("Content-Type", parts.content_type().as_bytes());
                head.number("Content-Length", parts.content_length());
            }
            Self::Unsatisfiable => {
                head.copy_if(whole, |field| !describes_content(field.id));
                let range = range::unsatisfied(length);
                head.field("Content-Range", range.as_bytes()).number("Content-Length", 0);
            }
            Self::NotModified | Self::Whole => {
                head.copy_if(whole, |field| !describes_content(field.id));
            }
        }
    }
}

/// The selected part of a response that is still being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamedRepresentation {
    /// The whole, as it is received.
    Whole,
    /// A range, from its first byte to one past its last, and the length of the whole.
    Part(u64, u64, u64),
    /// None (416): no range lies within the whole, whose length this is.
    Unsatisfiable(u64),
}

impl StreamedRepresentation {
    /// Evaluates the range of a request against a response whose head was received. Returns `None`
    /// if the range cannot be cut from a stream: several parts, or a part of a whole of unknown
    /// length. Only responses that may be stored are cut, since cutting is a cache's business;
    /// others are forwarded as received.
    pub(crate) fn of(request: &RequestHead, answer: &ResponseMeta) -> Option<Self> {
        let fields = request.fields();
        let cut = request.method() == Method::Get
            && fields.has(Name::Range)
            && answer.status == Status::OK
            && (answer.storing.is_ok() || answer.part.is_some());
        if !cut {
            return Some(Self::Whole);
        }
        let length = answer.body_length.known()?;
        match range::select(fields, &Validators::of(&answer.head), length) {
            Selected::Whole => Some(Self::Whole),
            Selected::Nothing => Some(Self::Unsatisfiable(length)),
            Selected::Parts(parts) => match parts[..] {
                [(first, end)] => Some(Self::Part(first, end, length)),
                _ => None,
            },
        }
    }

    /// Returns true if the selected bytes begin at `offset` or before.
    pub(crate) const fn begins_by(self, offset: u64) -> bool {
        self.extent().0 <= offset
    }

    /// Returns true if all selected bytes lie in `part`.
    pub(crate) const fn lies_in(self, part: Part) -> bool {
        let (first, end) = match self {
            Self::Whole => (0, part.length),
            Self::Part(..) | Self::Unsatisfiable(_) => self.extent(),
        };
        first == end || (part.first <= first && end <= part.end)
    }

    /// Returns the range of selected bytes; empty for the whole, whose length may be unknown.
    pub(crate) const fn extent(self) -> (u64, u64) {
        match self {
            Self::Part(first, end, _) => (first, end),
            Self::Whole | Self::Unsatisfiable(_) => (0, 0),
        }
    }

    /// Returns the same selection for a complete representation, and its length.
    fn as_form(self) -> (Representation, u64) {
        match self {
            Self::Whole => (Representation::Whole, 0),
            Self::Part(first, end, length) => (Representation::Part(first, end), length),
            Self::Unsatisfiable(length) => (Representation::Unsatisfiable, length),
        }
    }

    pub(crate) fn status(self) -> Status {
        self.as_form().0.status(Status::OK)
    }

    /// Writes the head of the response, without the empty line: the head of the whole, or one derived
    /// from it.
    pub(crate) fn write_head(self, out: &mut Vec<u8>, whole: &Fields) {
        let (form, length) = self.as_form();
        form.write_head(out, whole, length);
    }
}
