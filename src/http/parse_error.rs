//! Reasons for refusing a message that two parsers could read in two ways.

use std::fmt;

use super::status::Status;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:ident $text:literal;)*) => {
        /// A rule that a message breaks.
        ///
        /// Each rule has a name for logs and `Proxy-Status`, a status for the client that sent the
        /// message, and a sentence that says what is wrong and what to do. If a response breaks the
        /// rule, the client receives a 502.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ParseError { $($(#[$doc])* $variant,)* }

        impl ParseError {
            /// All rules.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the short name, which never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the status of the response to the client.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$variant => Status::$status,)* }
            }

            /// Returns what is wrong and what to do, as a sentence without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

refusals! {
    /// The first byte cannot begin a method.
    NotHttp "not-http" BAD_REQUEST "the request does not begin with a method of HTTP/1";
    /// The first byte is that of a TLS handshake.
    Tls "tls-on-plain-port" BAD_REQUEST "this is TLS, and this port speaks plain HTTP; use an http:// URL for it";
    /// A line ends in LF without CR. RFC 9112 §2.2 allows that, but parsers differ.
    BareLf "bare-lf" BAD_REQUEST "a line ends in LF alone; end each line of the head with CR LF";
    /// More than one empty line before the start line.
    EmptyLines "empty-lines" BAD_REQUEST "more than one empty line comes before the request";
    /// The request line is not `method SP target SP version`.
    RequestLine "request-line" BAD_REQUEST "the request line is not 'METHOD target HTTP/1.1'";
    /// The status line is not `version SP status SP reason`.
    StatusLine "status-line" BAD_GATEWAY "the status line is not 'HTTP/1.1 nnn reason'";
    /// A major version other than 1.
    Version "version" HTTP_VERSION_NOT_SUPPORTED "the HTTP version is not supported; use HTTP/1.1 or HTTP/1.0";
    /// The request line is longer than the limit.
    TargetTooLong "target-too-long" URI_TOO_LONG "the request line is longer than this proxy reads (limits.request-line)";
    /// The status line is longer than the limit.
    StatusLineTooLong "status-line-too-long" BAD_GATEWAY "the status line is longer than this proxy reads (limits.request-line)";
    /// A field line is longer than the limit.
    FieldTooLong "field-too-long" REQUEST_HEADER_FIELDS_TOO_LARGE "one header field is longer than this proxy reads (limits.field)";
    /// There are more field lines than the limit.
    TooManyFields "too-many-fields" REQUEST_HEADER_FIELDS_TOO_LARGE "there are more header fields than this proxy reads (limits.fields)";
    /// `Connection` names more options than the limit for field lines. Comparing each field with
    /// each option would be too expensive.
    TooManyOptions "too-many-connection-options" REQUEST_HEADER_FIELDS_TOO_LARGE "the Connection field names more fields than this proxy reads (limits.fields)";
    /// The whole head is longer than the limit.
    HeadTooLarge "head-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE "the header section is longer than this proxy reads (limits.head)";
    /// A field line of a request continues the line before it (RFC 9112 §5.2), or the first field
    /// line of a response begins with white space.
    ObsFold "obs-fold" BAD_REQUEST "a header line begins with white space; folded lines are not read";
    /// A field name is empty or has a character that is not allowed in a token, or white space
    /// follows it in a request.
    FieldName "field-name" BAD_REQUEST "a header field name is empty or holds a character it may not, such as a space before the colon";
    /// A field value has a control character.
    FieldValue "field-value" BAD_REQUEST "a header field value holds a control character";
    /// The target has a character that RFC 3986 does not allow and browsers do not send.
    Target "target" BAD_REQUEST "the request target holds a character that a URL may not; percent-encode it (limits.relaxed-target lets \"<> pass)";
    /// The target has non-ASCII bytes that are not UTF-8.
    TargetEncoding "target-encoding" BAD_REQUEST "the request target holds bytes that are not UTF-8; percent-encode them";
    /// The form of the target does not fit the method (RFC 9112 §3.2).
    TargetForm "target-form" BAD_REQUEST "the form of the request target does not fit the method";
    /// The target has user information (RFC 9110 §4.2.4).
    UserInfo "userinfo" BAD_REQUEST "the URL names a user before '@', which HTTP does not allow; use the Authorization field";
    /// The host or port in the target is invalid.
    Authority "authority" BAD_REQUEST "the host or port in the request target is invalid";
    /// An HTTP/1.1 request has no `Host`.
    MissingHost "missing-host" BAD_REQUEST "the Host field is missing";
    /// A request has more than one `Host`.
    RepeatedHost "repeated-host" BAD_REQUEST "the Host field comes more than once";
    /// The value of `Host` is not a host with an optional port.
    InvalidHost "invalid-host" BAD_REQUEST "the Host field is not a valid host with an optional port";
    /// The value of `Content-Length` is not a number.
    ContentLength "content-length" BAD_REQUEST "the Content-Length field is not a number";
    /// `Content-Length` is repeated or a list; in a response that matters only if the numbers
    /// differ.
    RepeatedContentLength "repeated-content-length" BAD_REQUEST "the Content-Length field comes more than once";
    /// `Content-Length` and `Transfer-Encoding` are both present (RFC 9112 §6.3, request
    /// smuggling).
    TwoLengths "content-length-and-transfer-encoding" BAD_REQUEST "Content-Length and Transfer-Encoding are both present, so the length can be read in two ways; send one of them";
    /// `Transfer-Encoding` is present in HTTP/1.0 (RFC 9112 §6.1).
    OldTransferEncoding "transfer-encoding-in-http-1.0" BAD_REQUEST "HTTP/1.0 has no Transfer-Encoding; use Content-Length or HTTP/1.1";
    /// `chunked` is repeated, not last, has parameters, or has empty elements beside it; or the
    /// list is malformed.
    TransferEncoding "transfer-encoding" BAD_REQUEST "the Transfer-Encoding field can be read in more than one way; send 'chunked' alone";
    /// A transfer coding other than `chunked` (RFC 9112 §6.1). In a response, one combined with
    /// `chunked`, or an unknown one.
    UnknownTransferEncoding "unknown-transfer-encoding" NOT_IMPLEMENTED "the transfer coding is not supported; use 'chunked'";
    /// A request has content although its method does not allow any.
    Content "content" BAD_REQUEST "a request with this method must not have content (TRACE, CONNECT)";
    /// A chunk size is not a hexadecimal number.
    ChunkSize "chunk-size" BAD_REQUEST "a chunk size is not a hexadecimal number";
    /// A chunk size is 2⁶³ or more, or has more than 16 digits.
    ChunkTooLarge "chunk-too-large" BAD_REQUEST "a chunk size is 2^63 or more";
    /// A chunk extension has a control character, or does not begin with a semicolon.
    ChunkExtension "chunk-extension" BAD_REQUEST "a chunk extension is malformed";
    /// The chunk extensions of a message are longer than the limit.
    ChunkExtensionTooLong "chunk-extension-too-long" BAD_REQUEST "the chunk extensions are longer than this proxy reads (limits.chunk-extensions)";
    /// The bytes of a chunk are not followed by CR LF.
    ChunkEnd "chunk-end" BAD_REQUEST "a chunk is not followed by CR LF";
    /// A trailer field of a request frames, routes or authenticates (RFC 9110 §6.5.1).
    Trailer "trailer" BAD_REQUEST "a trailer field may only be sent in the header section";
    /// `Expect` has a value other than `100-continue`.
    Expectation "expectation" EXPECTATION_FAILED "the expectation is not supported; use '100-continue' or none";
    /// The connection ended within a message.
    Truncated "truncated" BAD_REQUEST "the connection ended before the message did";
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for ParseError {}
