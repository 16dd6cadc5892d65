//! Request and response heads, immutable and with the bytes received.

use super::fields::{Fields, Span};
use super::framing::{self, Framing};
use super::method::Method;
use super::name::Name;
use super::status::Status;
use super::target::{Authority, Form, Target};
use super::version::Version;

/// Head of a request that passed all checks of this module.
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
    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Returns the method as spelled in the message.
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.text(self.method_name)
    }

    /// Returns the target as received: UTF-8, with an ASCII host and port.
    #[must_use]
    pub fn target(&self) -> &str {
        self.text(self.target.whole)
    }

    /// Returns the form of the target.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.target.form
    }

    /// Returns the scheme of an absolute target, as spelled in the message; otherwise an empty
    /// string.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text(self.target.scheme)
    }

    /// Returns host and port of an absolute target or of CONNECT.
    #[must_use]
    pub fn authority(&self) -> Option<Authority<'_>> {
        let named = matches!(self.target.form, Form::Absolute | Form::Authority);
        named.then(|| Authority { host: self.text(self.target.host), port: self.target.port })
    }

    /// Returns path and query as received. In an absolute target they may be empty or begin with
    /// `?`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.text(self.target.path)
    }

    /// Returns the version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the field lines.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the request without the lines of this name, which must not frame or route it.
    #[must_use]
    pub fn without(&self, id: Name) -> Self {
        debug_assert!(!matches!(id, Name::Host | Name::ContentLength | Name::TransferEncoding));
        // The start line keeps its place, so the spans of method and target remain valid.
        let Self { method, method_name, target, version, framing, .. } = *self;
        let fields = self.fields.without(id);
        Self { method, method_name, target, version, fields, framing }
    }

    /// Returns the framing of the content.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns the length of the head as received, in bytes.
    #[must_use]
    pub const fn wire_length(&self) -> usize {
        self.fields.bytes.len()
    }

    /// Returns a part of the head that was checked to be UTF-8.
    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.within(&self.fields.bytes)).unwrap_or_default()
    }
}

/// Head of a response that passed all checks of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub(super) version: Version,
    pub(super) status: Status,
    pub(super) reason: Span,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
}

impl ResponseHead {
    /// Returns the version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the status code.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Returns the reason phrase as received, which may be empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.reason.within(&self.fields.bytes)
    }

    /// Returns the field lines.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the framing of the content.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns true if the content has a transfer coding other than `chunked` that clients may be
    /// able to decode.
    #[must_use]
    pub fn is_coded(&self) -> bool {
        self.framing == Framing::Close && framing::is_coded(&self.fields)
    }

    /// Returns the length of the head as received, in bytes.
    #[must_use]
    pub const fn wire_length(&self) -> usize {
        self.fields.bytes.len()
    }
}
