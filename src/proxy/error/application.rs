//! Errors of applications.

use crate::http::{ParseError, Status};

/// Reasons for which an application has no answer, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplicationError {
    /// The handler or its stream has failed.
    Failed,
    /// The handler or its stream has panicked.
    Panicked,
    /// The reply breaks a rule of HTTP.
    Reply(ParseError),
    /// The handler, or a step of its stream, took too long.
    Timeout,
    /// Too many calls run or wait for a thread.
    Busy,
    /// The content of the request is larger than the application takes.
    ContentTooLarge,
    /// The stream has ended before the content that was promised.
    Short,
    /// The stream has produced more content than was promised.
    Long,
}

impl ApplicationError {
    pub(super) const fn error_status(self) -> (Status, &'static str) {
        match self {
            Self::Failed | Self::Panicked | Self::Reply(_) => {
                (Status::INTERNAL_SERVER_ERROR, "http_protocol_error")
            }
            Self::Short | Self::Long => (Status::INTERNAL_SERVER_ERROR, "http_response_incomplete"),
            Self::Timeout => (Status::GATEWAY_TIMEOUT, "http_response_timeout"),
            Self::Busy => (Status::SERVICE_UNAVAILABLE, "connection_limit_reached"),
            Self::ContentTooLarge => (Status::CONTENT_TOO_LARGE, "http_request_error"),
        }
    }

    pub(in crate::proxy) const fn name(self) -> &'static str {
        match self {
            Self::Failed => "application-failed",
            Self::Panicked => "application-panicked",
            Self::Reply(_) => "application-reply",
            Self::Timeout => "application-timeout",
            Self::Busy => "application-busy",
            Self::ContentTooLarge => "application-content",
            Self::Short => "application-short",
            Self::Long => "application-long",
        }
    }
}
