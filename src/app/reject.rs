//! Rejections: responses that views return as errors.

use std::error::Error;
use std::fmt;

use crate::http::Status;

use super::failure::Failure;
use super::reply::Reply;
use super::response::{Response, ResponseError};

/// Response that a view returns as its error, so that `?` ends the view: 400, 403, 404 and others.
///
/// ```
/// use tidegate::app::{Failure, Reject, Reply, Request, Response};
/// use tidegate::http::Status;
///
/// fn show(request: &Request) -> Result<Reply, Failure> {
///     let number = request.parameter("number").and_then(|text| text.parse::<u32>().ok());
///     let number = number.ok_or(Reject::with(Status::NOT_FOUND))?;
///     Ok(Response::text(format!("number {number}\n")).into())
/// }
/// # let _ = show;
/// ```
#[derive(Debug)]
pub struct Reject(Result<Response, ResponseError>);

impl Reject {
    /// Returns a rejection with this status as text.
    #[must_use]
    pub fn with(status: Status) -> Self {
        Self(Response::of_status(status))
    }

    /// Turns a failure that is a rejection into its response.
    pub(crate) fn settle(answer: Result<Reply, Failure>) -> Result<Reply, Failure> {
        answer.or_else(|failure| match failure.downcast::<Self>() {
            Ok(reject) => Ok(reject.0?.into()),
            Err(failure) => Err(failure),
        })
    }
}

impl From<Response> for Reject {
    fn from(response: Response) -> Self {
        Self(Ok(response))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(response) => write!(f, "a response with {}", response.status()),
            Err(error) => error.fmt(f),
        }
    }
}

impl Error for Reject {}
