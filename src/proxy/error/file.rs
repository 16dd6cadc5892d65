//! Errors of files.

use std::borrow::Cow;

use crate::files::PathError;
use crate::http::Status;

/// Reasons for which no file of a folder answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileError {
    /// The path names no file.
    Missing,
    /// The process may not read the file.
    Denied,
    /// The path cannot name a file that is served.
    Path(PathError),
    /// Files answer GET and HEAD.
    Method,
    /// A precondition of the request does not hold.
    Precondition,
    /// The file has become shorter while it was sent.
    Shrunk,
    /// The file cannot be read, for this reason.
    Unreadable(Cow<'static, str>),
}

impl FileError {
    pub(super) const fn status(&self) -> Status {
        match self {
            Self::Path(PathError::Parent | PathError::Separator) => Status::BAD_REQUEST,
            Self::Missing | Self::Path(PathError::Hidden | PathError::TooLong) => Status::NOT_FOUND,
            Self::Denied => Status::FORBIDDEN,
            Self::Method => Status::METHOD_NOT_ALLOWED,
            Self::Precondition => Status::PRECONDITION_FAILED,
            Self::Shrunk | Self::Unreadable(_) => Status::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "no-file",
            Self::Denied => "file-denied",
            Self::Path(PathError::Parent) => "dot-segments",
            Self::Path(PathError::Separator) => "file-name",
            Self::Path(PathError::Hidden) => "hidden-file",
            Self::Path(PathError::TooLong) => "long-file-name",
            Self::Method => "file-method",
            Self::Precondition => "precondition",
            Self::Shrunk => "file-shrunk",
            Self::Unreadable(_) => "file-unreadable",
        }
    }
}
