//! Fields of exchanges, as formats of the log name them.

/// Field of an exchange in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogField {
    /// Start of the exchange, in UTC (RFC 3339).
    Time,
    /// Identifier of the request.
    Id,
    /// `traceparent` of the request (W3C Trace Context).
    Traceparent,
    /// Client behind trusted proxies.
    Client,
    /// Peer of the connection, if that is another one.
    Peer,
    /// Authenticated user.
    User,
    /// Listener at which the client has connected.
    Listener,
    /// Method.
    Method,
    /// Target URI.
    Url,
    /// Host and port of the target URI.
    Host,
    /// Version of HTTP.
    Version,
    /// Status of the response.
    Status,
    /// Result.
    Result,
    /// Reason for which the request was refused, failed or was cut off.
    Reason,
    /// Reason for which the response was not stored.
    NotStored,
    /// Report rule that would have denied the request.
    WouldDeny,
    /// Recent authentication failures of the client.
    Failures,
    /// True if the client has asked for `https` over a connection without TLS.
    Clear,
    /// Duration of the exchange.
    Duration,
    /// Time until the response began.
    FirstByte,
    /// Time until a member of a group had a place.
    Queue,
    /// Time until an address of the origin was known.
    Lookup,
    /// Time until a connection to the origin was established.
    Connect,
    /// Time until the TLS handshake with the origin was complete.
    Handshake,
    /// Time from the request to the origin until the head of its response.
    OriginFirstByte,
    /// Content sent.
    Bytes,
    /// All bytes sent to the client.
    BytesOut,
    /// All bytes received from the client.
    BytesIn,
    /// Media type of the response.
    Type,
    /// Coding that this proxy has applied.
    Coding,
    /// Group of the route.
    Group,
    /// Address of the origin.
    Origin,
    /// `Referer` of the request.
    Referer,
    /// `User-Agent` of the request.
    Agent,
    /// Version of TLS with the client.
    TlsVersion,
    /// Cipher suite of TLS with the client.
    TlsCipher,
    /// Server name that the client has asked for.
    TlsSni,
    /// Subject of the client's certificate.
    TlsCert,
    /// True if a TLS session was resumed.
    TlsResumed,
}

impl LogField {
    /// All fields in the order of the format `json`, with their names and meanings.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Time, "time", "start of the exchange in UTC (RFC 3339), with milliseconds"),
        (Self::Id, "id", "identifier of the request, from a trusted proxy or made here"),
        (Self::Traceparent, "traceparent", "`traceparent` of the request (W3C Trace Context)"),
        (Self::Client, "client", "address of the client, behind trusted proxies"),
        (Self::Peer, "peer", "address of the connection, if that is another one"),
        (Self::User, "user", "authenticated user"),
        (Self::Listener, "listener", "address of the listener"),
        (Self::Method, "method", "method"),
        (Self::Url, "url", "URL that was asked for"),
        (Self::Host, "host", "host and port of the URL"),
        (Self::Version, "version", "version of HTTP of the request"),
        (Self::Status, "status", "status of the response"),
        (Self::Result, "result", "result"),
        (Self::Reason, "reason", "reason if the request was refused, failed or was cut off"),
        (Self::NotStored, "not_stored", "reason if the response of the origin was not stored"),
        (Self::WouldDeny, "would_deny", "report rule that would have denied the request"),
        (Self::Failures, "failures", "recent authentication failures of the client"),
        (Self::Clear, "clear", "`true` if an `https` URL was asked for without TLS"),
        (Self::Duration, "ms", "duration of the exchange, in milliseconds"),
        (Self::FirstByte, "first_byte_ms", "time until the response began"),
        (Self::Queue, "queue_ms", "time until a member of the group had a place"),
        (Self::Lookup, "lookup_ms", "time until an address of the origin was known"),
        (Self::Connect, "connect_ms", "time until a connection was established"),
        (
            Self::Handshake,
            "handshake_ms",
            "time until the TLS handshake with the origin was complete",
        ),
        (
            Self::OriginFirstByte,
            "origin_ms",
            "time from the request to the origin until its response",
        ),
        (Self::Bytes, "bytes", "size of the content sent; for a tunnel, of both directions"),
        (Self::BytesOut, "bytes_out", "all bytes sent to the client"),
        (Self::BytesIn, "bytes_in", "all bytes received from the client"),
        (Self::Type, "type", "media type of the response"),
        (Self::Coding, "coding", "coding that tidegate has applied to the content"),
        (Self::Group, "group", "group of the site's route"),
        (Self::Origin, "origin", "address that was asked"),
        (Self::Referer, "referer", "`Referer` of the request"),
        (Self::Agent, "agent", "`User-Agent` of the request"),
        (Self::TlsVersion, "tls_version", "version of TLS with the client"),
        (Self::TlsCipher, "tls_cipher", "cipher suite of TLS with the client"),
        (Self::TlsSni, "tls_sni", "server name that the client has asked for"),
        (Self::TlsCert, "tls_cert", "subject of the client's certificate"),
        (Self::TlsResumed, "tls_resumed", "`true` if a TLS session was resumed, else `false`"),
    ];

    /// Returns the field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|&(field, ..)| field)
    }

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, ..)| *field == self).map_or("", |&(_, name, _)| name)
    }
}
