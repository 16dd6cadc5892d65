//! Responses of a hook.

use crate::http::{Fields, Status};

use super::error::HookError;
use super::field_rules::check_response_line;

/// Reset Content, which has no content (RFC 9110 §15.3.6).
const RESET_CONTENT: u16 = 205;

/// A final response of a hook: status, fields and content.
///
/// The proxy adds `Date`, `Content-Length` and `Cache-Status`, writes no content in response to HEAD, and
/// keeps or closes the connection as the request asks. The content is held in memory until it is sent.
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    fields: Fields,
    content: Vec<u8>,
}

impl Response {
    /// Returns a response without fields and content.
    ///
    /// # Errors
    /// [`HookError::Interim`] if the status is 1xx.
    pub fn new(status: Status) -> Result<Self, HookError> {
        if status.is_interim() {
            return Err(HookError::Interim(status));
        }
        Ok(Self { status, fields: Fields::default(), content: Vec::new() })
    }

    /// Adds a field line at the end.
    ///
    /// # Errors
    /// [`HookError::Field`] if name or value are not well-formed, or for a field that the proxy writes
    /// itself: `Date`, `Cache-Status`, and fields of framing and of the connection.
    pub fn with_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HookError> {
        let value = value.as_ref();
        check_response_line(name, value)?;
        self.fields.push(name.as_bytes(), value.trim_ascii());
        Ok(self)
    }

    /// Sets the content.
    ///
    /// # Errors
    /// [`HookError::Content`] if `content` is not empty and the status is 204, 205 or 304.
    pub fn with_content(mut self, content: impl Into<Vec<u8>>) -> Result<Self, HookError> {
        self.content = content.into();
        let forbidden = self.status.is_bodiless() || self.status.code() == RESET_CONTENT;
        if forbidden && !self.content.is_empty() {
            return Err(HookError::Content(self.status));
        }
        Ok(self)
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns the fields, without those that the proxy adds.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}
