//! Why a message is refused: whatever two parsers could read two ways.

use std::fmt;

use super::status::Status;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:ident $text:literal;)*) => {
        /// A rule that a message has broken.
        ///
        /// Each has a name for logs and `Proxy-Status`, a status for a client that sent it, and a
        /// sentence that says what is wrong and what to do. A response with the same defect is
        /// answered to the client with 502.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ParseError { $($(#[$doc])* $variant,)* }

        impl ParseError {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// A short name, which stays.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status of the answer to a client.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$variant => Status::$status,)* }
            }

            /// What is wrong and what to do, as a sentence without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

refusals! {
    /// The first byte cannot begin a method.
    NotHttp "not-http" BAD_REQUEST "this is not HTTP/1";
    /// The first byte is that of a TLS handshake.
    Tls "tls-on-plain-port" BAD_REQUEST "this is TLS, and this port speaks plain HTTP; use an http:// URL for it";
    /// A line ends in LF without CR (RFC 9112 §2.2 allows it, and parsers differ over it).
    BareLf "bare-lf" BAD_REQUEST "a line ends in LF alone; end each line of the head with CR LF";
    /// More than one empty line before the start line.
    EmptyLines "empty-lines" BAD_REQUEST "more than one empty line comes before the request";
    /// The request line is not `method SP target SP version`.
    RequestLine "request-line" BAD_REQUEST "the request line is not 'METHOD target HTTP/1.1'";
    /// The status line is not `version SP status SP reason`.
    StatusLine "status-line" BAD_GATEWAY "the status line is not 'HTTP/1.1 nnn reason'";
    /// A major version other than 1.
    Version "version" HTTP_VERSION_NOT_SUPPORTED "only HTTP/1.0 and HTTP/1.1 are spoken here";
    /// The request line is longer than the limit.
    TargetTooLong "target-too-long" URI_TOO_LONG "the request line is longer than this proxy reads (limits.request-line)";
    /// The status line is longer than the limit.
    StatusLineTooLong "status-line-too-long" BAD_GATEWAY "the status line is longer than this proxy reads (limits.request-line)";
    /// One field line is longer than the limit.
    FieldTooLong "field-too-long" REQUEST_HEADER_FIELDS_TOO_LARGE "one header field is longer than this proxy reads (limits.field)";
    /// There are more field lines than the limit.
    TooManyFields "too-many-fields" REQUEST_HEADER_FIELDS_TOO_LARGE "there are more header fields than this proxy reads (limits.fields)";
    /// `Connection` names more options than there may be fields: looking for each in each would be
    /// dear.
    TooManyOptions "too-many-connection-options" REQUEST_HEADER_FIELDS_TOO_LARGE "the Connection field names more fields than this proxy reads (limits.fields)";
    /// The whole head is longer than the limit.
    HeadTooLarge "head-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE "the header section is longer than this proxy reads (limits.head)";
    /// A field line of a request continues the one before (RFC 9112 §5.2), or that of a response none.
    ObsFold "obs-fold" BAD_REQUEST "a header line begins with white space; folded lines are not read";
    /// A field name is empty or holds another byte than a token may, or white space follows it in a
    /// request.
    FieldName "field-name" BAD_REQUEST "a header field name is empty or holds a character it may not, such as a space before the colon";
    /// A field value holds a control character.
    FieldValue "field-value" BAD_REQUEST "a header field value holds a control character";
    /// The target holds a character that neither RFC 3986 allows nor browsers send.
    Target "target" BAD_REQUEST "the request target holds a character that a URL may not; percent-encode it (limits.relaxed-target lets \"<> pass)";
    /// The target holds bytes beyond ASCII that are not UTF-8.
    TargetEncoding "target-encoding" BAD_REQUEST "the request target holds bytes that are not UTF-8; percent-encode them";
    /// The form of the target does not go with the method (RFC 9112 §3.2).
    TargetForm "target-form" BAD_REQUEST "this form of request target does not go with this method";
    /// The target names a user (RFC 9110 §4.2.4).
    UserInfo "userinfo" BAD_REQUEST "the URL names a user before '@', which HTTP does not allow; use the Authorization field";
    /// A host or port that cannot be one.
    Authority "authority" BAD_REQUEST "the host or port in the request target cannot be one";
    /// HTTP/1.1 without `Host`.
    MissingHost "missing-host" BAD_REQUEST "the Host field is missing";
    /// `Host` more than once.
    RepeatedHost "repeated-host" BAD_REQUEST "the Host field comes more than once";
    /// `Host` that is no host.
    InvalidHost "invalid-host" BAD_REQUEST "the Host field holds no host and port";
    /// `Content-Length` that is no number.
    ContentLength "content-length" BAD_REQUEST "the Content-Length field holds no number";
    /// `Content-Length` more than once, or as a list; in a response only if the numbers differ.
    RepeatedContentLength "repeated-content-length" BAD_REQUEST "the Content-Length field comes more than once";
    /// `Content-Length` and `Transfer-Encoding` together (RFC 9112 §6.3, smuggling).
    TwoLengths "content-length-and-transfer-encoding" BAD_REQUEST "Content-Length and Transfer-Encoding come together, so the length can be read two ways";
    /// `Transfer-Encoding` with HTTP/1.0 (RFC 9112 §6.1).
    OldTransferEncoding "transfer-encoding-in-http-1.0" BAD_REQUEST "Transfer-Encoding comes with HTTP/1.0, which does not have it";
    /// `chunked` more than once, not last, with parameters or beside empty elements; or the list
    /// cannot be read.
    TransferEncoding "transfer-encoding" BAD_REQUEST "the Transfer-Encoding field is neither 'chunked' nor a list that can be read one way only";
    /// A transfer coding other than `chunked` (RFC 9112 §6.1); in a response, beside `chunked` or unknown.
    UnknownTransferEncoding "unknown-transfer-encoding" NOT_IMPLEMENTED "the only transfer coding understood is 'chunked'";
    /// A method whose requests have no content came with some.
    Content "content" BAD_REQUEST "a request with this method has no content (TRACE, CONNECT)";
    /// A chunk size that is no hexadecimal number.
    ChunkSize "chunk-size" BAD_REQUEST "a chunk size is not hexadecimal digits";
    /// A chunk size beyond 2⁶³.
    ChunkTooLarge "chunk-too-large" BAD_REQUEST "a chunk size is larger than any content can be";
    /// A chunk extension with a control character, or that does not begin with a semicolon.
    ChunkExtension "chunk-extension" BAD_REQUEST "a chunk extension cannot be read";
    /// Chunk extensions of a message longer than the limit.
    ChunkExtensionTooLong "chunk-extension-too-long" BAD_REQUEST "the chunk extensions are longer than this proxy reads (limits.chunk-extensions)";
    /// Something else than CR LF after a chunk's bytes.
    ChunkEnd "chunk-end" BAD_REQUEST "a chunk is not followed by CR LF";
    /// A trailer field of a request that frames, routes or authenticates (RFC 9110 §6.5.1).
    Trailer "trailer" BAD_REQUEST "a trailer field is one that may only come in the header section";
    /// `Expect` other than `100-continue`.
    Expectation "expectation" EXPECTATION_FAILED "the only expectation understood is '100-continue'";
    /// The connection ended within a message.
    Truncated "truncated" BAD_REQUEST "the connection ended before the message did";
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for ParseError {}
