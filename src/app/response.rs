//! Responses that a program gives itself.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::http::hop::ConnectionOptions;
use crate::http::{Fields, Name, Status, Version};

use super::field_rule::{FieldRule, field_of};

/// Reset Content, which has no content (RFC 9110 §15.3.6).
const RESET_CONTENT: u16 = 205;

/// A final response: status, fields and content.
///
/// The proxy adds `Date`, `Content-Length` and `Cache-Status`, writes no content in response to HEAD, and
/// keeps or closes the connection as the request asks. The content is held in memory until it is sent.
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    fields: Fields,
    content: Vec<u8>,
}

/// Error in a response that a program builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// A field cannot be added.
    Field {
        /// Name of the field.
        name: String,
        /// Rule against the field.
        rule: FieldRule,
    },
    /// A final response cannot have this status, which is interim (RFC 9110 §15.2).
    Interim(Status),
    /// A response with this status has no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
    Content(Status),
}

impl Response {
    /// Returns a response without fields and content.
    ///
    /// # Errors
    /// [`ResponseError::Interim`] if the status is 1xx.
    pub fn new(status: Status) -> Result<Self, ResponseError> {
        if status.is_interim() {
            return Err(ResponseError::Interim(status));
        }
        Ok(Self { status, fields: Fields::default(), content: Vec::new() })
    }

    /// Returns a 200 with text in UTF-8.
    #[must_use]
    pub fn text(content: impl Into<String>) -> Self {
        Self::of_type("text/plain; charset=utf-8", content.into().into_bytes())
    }

    /// Returns a 200 with an HTML page in UTF-8. The caller escapes what users have written.
    #[must_use]
    pub fn html(content: impl Into<String>) -> Self {
        Self::of_type("text/html; charset=utf-8", content.into().into_bytes())
    }

    /// Returns a 200 with a JSON text.
    #[must_use]
    pub fn json(content: impl Into<String>) -> Self {
        Self::of_type("application/json", content.into().into_bytes())
    }

    /// Returns a 303, by which the client gets `location` next (RFC 9110 §15.4.4): the answer to a form.
    ///
    /// # Errors
    /// [`ResponseError::Field`] if `location` has control characters.
    pub fn see_other(location: &str) -> Result<Self, ResponseError> {
        Self::new(Status::SEE_OTHER)?.with_field("Location", location)
    }

    /// Returns a response with this status, whose content is the status as text.
    ///
    /// # Errors
    /// As [`with_status`](Self::with_status).
    pub fn of_status(status: Status) -> Result<Self, ResponseError> {
        Self::text(format!("{} {}\n", status.code(), status.reason())).with_status(status)
    }

    fn of_type(media_type: &str, content: Vec<u8>) -> Self {
        let mut fields = Fields::default();
        fields.push(b"Content-Type", media_type.as_bytes());
        Self { status: Status::OK, fields, content }
    }

    /// Sets the status.
    ///
    /// # Errors
    /// [`ResponseError::Interim`] if the status is 1xx, [`ResponseError::Content`] if the response has
    /// content and the status permits none.
    pub fn with_status(mut self, status: Status) -> Result<Self, ResponseError> {
        if status.is_interim() {
            return Err(ResponseError::Interim(status));
        }
        self.status = status;
        let content = self.take_content();
        self.with_content(content)
    }

    /// Adds a field line at the end.
    ///
    /// # Errors
    /// [`ResponseError::Field`] if name or value are not well-formed, or for a field that the proxy writes
    /// itself: `Date`, `Age`, `Cache-Status`, and fields of framing and of the connection.
    pub fn with_field(
        mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, ResponseError> {
        let value = value.as_ref();
        check_response_line(name, value)?;
        self.fields.push(name.as_bytes(), value.trim_ascii());
        Ok(self)
    }

    /// Sets the content.
    ///
    /// # Errors
    /// [`ResponseError::Content`] if `content` is not empty and the status is 204, 205 or 304.
    pub fn with_content(mut self, content: impl Into<Vec<u8>>) -> Result<Self, ResponseError> {
        self.content = content.into();
        if self.permits_content() || self.content.is_empty() {
            Ok(self)
        } else {
            Err(ResponseError::Content(self.status))
        }
    }

    /// Returns true if the status permits content.
    #[must_use]
    pub const fn permits_content(&self) -> bool {
        !self.status.is_bodiless() && self.status.code() != RESET_CONTENT
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

    /// Returns the value of the first field of this name, in any case, as text. Bytes that are not UTF-8 are
    /// replaced.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut named = self.fields.iter().filter(|field| field.is_named(name.as_bytes()));
        named.next().map(|field| String::from_utf8_lossy(field.value))
    }

    /// Returns the content.
    #[must_use]
    pub const fn content(&self) -> &[u8] {
        self.content.as_slice()
    }

    /// Takes the content.
    pub(crate) fn take_content(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.content)
    }
}

/// Checks that a line can be added to a response.
///
/// # Errors
/// [`ResponseError::Field`] with the rule against the line.
pub(crate) fn check_response_line(name: &str, value: &[u8]) -> Result<(), ResponseError> {
    let refused = |rule| ResponseError::Field { name: name.to_owned(), rule };
    let field = field_of(name, value).map_err(refused)?;
    match field.id {
        Name::ContentLength | Name::TransferEncoding | Name::Trailer => {
            Err(refused(FieldRule::Framing))
        }
        Name::Date | Name::Age | Name::CacheStatus => Err(refused(FieldRule::Own)),
        Name::ProxyAuthenticate => Ok(()), // a challenge of this proxy, with 407
        _ => {
            let none = Fields::default();
            let hop = ConnectionOptions::of(Version::Http11, &none);
            if hop.is_hop_by_hop(&field) { Err(refused(FieldRule::HopByHop)) } else { Ok(()) }
        }
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name, rule } => write!(f, "'{}' {}", name.escape_debug(), rule.text()),
            Self::Interim(status) => {
                write!(f, "the response has to be final; status {status} is interim (1xx)")
            }
            Self::Content(status) => write!(f, "a response with status {status} has no content"),
        }
    }
}

impl Error for ResponseError {}
