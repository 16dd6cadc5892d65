//! The form in which a representation answers a request: whole, in parts, or without content.

use crate::http::cond::{self, Validators};
use crate::http::range::{self, Selected};
use crate::http::{Fields, HeadWriter, Method, Multipart, Name, RequestHead, Status};

/// The form of an answer made from a representation.
#[derive(Debug)]
pub(super) enum Form {
    Whole,
    /// The client has it already.
    NotModified,
    /// One part, from its first byte to one past its last.
    Part(u64, u64),
    Parts(Box<Multipart>),
    Unsatisfiable,
}

impl Form {
    /// What a request's preconditions and ranges make of a 200 with this head and `length`
    /// (RFC 9110 §13.2.2). What separates several parts is made of the `secret`.
    pub(super) fn of(
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

    /// The status it is answered with, if the whole has this one.
    pub(super) const fn status(&self, whole: Status) -> Status {
        match self {
            Self::Whole => whole,
            Self::NotModified => Status::NOT_MODIFIED,
            Self::Part(..) | Self::Parts(_) => Status::PARTIAL_CONTENT,
            Self::Unsatisfiable => Status::RANGE_NOT_SATISFIABLE,
        }
    }

    /// Writes the head of an answer in this form, without the empty line: the head of the whole, of
    /// which `length` is known, or one made of it.
    pub(super) fn write_head(&self, out: &mut Vec<u8>, whole: &Fields, length: u64) {
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
