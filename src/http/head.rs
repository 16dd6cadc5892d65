//! Request and response heads: immutable once parsed, kept as the bytes that came.

use super::fields::{Fields, Span};
use super::framing::{self, Framing};
use super::method::Method;
use super::name::Name;
use super::status::Status;
use super::target::{Authority, Form, Target};
use super::version::Version;

/// The head of a request that passed every check of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    pub(super) method: Method,
    pub(super) method_name: Span,
    pub(super) target: Target,
    pub(super) version: Version,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
}

impl RequestHead {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The method as it was spelled.
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.text(self.method_name)
    }

    /// The target as it came: UTF-8, of which host and port are ASCII.
    #[must_use]
    pub fn target(&self) -> &str {
        self.text(self.target.whole)
    }

    /// The form of the target.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.target.form
    }

    /// The scheme of an absolute target, as it was spelled; otherwise empty.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text(self.target.scheme)
    }

    /// Host and port of an absolute target or of CONNECT.
    #[must_use]
    pub fn authority(&self) -> Option<Authority<'_>> {
        let named = matches!(self.target.form, Form::Absolute | Form::Authority);
        named.then(|| Authority { host: self.text(self.target.host), port: self.target.port })
    }

    /// Path and query as they came. Of an absolute target they may be empty or begin with `?`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.text(self.target.path)
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The field lines.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The same request without the lines of this name, which neither frames nor routes it.
    #[must_use]
    pub fn without(&self, id: Name) -> Self {
        debug_assert!(!matches!(id, Name::Host | Name::ContentLength | Name::TransferEncoding));
        // The start line stays where it is, and with it the spans of method and target.
        let Self { method, method_name, target, version, framing, .. } = *self;
        let fields = self.fields.without(id);
        Self { method, method_name, target, version, fields, framing }
    }

    /// How the end of the content is told.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// How many bytes the head was long.
    #[must_use]
    pub const fn wire_length(&self) -> usize {
        self.fields.bytes.len()
    }

    /// Returns a part that is known to be UTF-8.
    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.within(&self.fields.bytes)).unwrap_or_default()
    }
}

/// The head of a response that passed every check of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub(super) version: Version,
    pub(super) status: Status,
    pub(super) reason: Span,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
}

impl ResponseHead {
    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The reason phrase as it came, perhaps empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.reason.within(&self.fields.bytes)
    }

    /// The field lines.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// How the end of the content is told.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether its content has a transfer coding beside `chunked` that some reader may know.
    #[must_use]
    pub fn is_coded(&self) -> bool {
        self.framing == Framing::Close && framing::is_coded(&self.fields)
    }

    /// How many bytes the head was long.
    #[must_use]
    pub const fn wire_length(&self) -> usize {
        self.fields.bytes.len()
    }
}
