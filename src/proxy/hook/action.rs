//! Actions: decisions of a hook on a request.

use crate::app::Response;
use crate::http::Status;

use super::error::HookError;

/// Decision of a hook on a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// The request is routed, with the fields that the hook has left it.
    Continue,
    /// The client receives this response, which is not stored. The log shows the outcome `OWN`.
    ///
    /// A 2xx response to CONNECT would promise a tunnel (RFC 9110 §9.3.6): the client is refused with
    /// 403 instead.
    Respond(Response),
    /// The client is refused. The log shows the outcome `DENIED` with the reason `hook`.
    Refuse(Refusal),
}

/// Refusal of a request.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub(crate) status: Status,
    pub(crate) reason: String,
}

impl Refusal {
    /// Returns a refusal with 403. The client receives `reason`, a sentence, as content.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { status: Status::FORBIDDEN, reason: reason.into() }
    }

    /// Sets the status.
    ///
    /// # Errors
    /// [`HookError::RefusalStatus`] unless the status is 4xx or 5xx and needs no field of its own, as
    /// 401, 405, 407 and 426 do: those take a [`Response`].
    pub fn with_status(self, status: Status) -> Result<Self, HookError> {
        match status.code() {
            401 | 405 | 407 | 426 => Err(HookError::RefusalStatus(status)),
            400..=599 => Ok(Self { status, ..self }),
            _ => Err(HookError::RefusalStatus(status)),
        }
    }
}
