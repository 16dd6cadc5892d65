//! Servers that log lines are shipped to.

use std::fmt;
use std::str::FromStr;

use crate::http::Authority;

/// Protocol of a log server, over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProtocol {
    /// The push API of Loki, with JSON.
    Loki,
    /// OpenTelemetry: OTLP/HTTP with JSON.
    Otlp,
}

impl LogProtocol {
    const ALL: [Self; 2] = [Self::Loki, Self::Otlp];

    /// Returns the scheme, without that of HTTP.
    const fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Otlp => "otlp",
        }
    }

    /// Returns the path of requests, if the URL has none.
    const fn path(self) -> &'static str {
        match self {
            Self::Loki => "/loki/api/v1/push",
            Self::Otlp => "/v1/logs",
        }
    }
}

/// URL of a log server: `loki+http://HOST:PORT` or `otlp+https://HOST:PORT/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogServer {
    /// Protocol of the server.
    pub protocol: LogProtocol,
    /// True if the connection is secured by TLS.
    pub is_secure: bool,
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Host and port as `Host` has them.
    pub authority: String,
    /// Path of requests, which begins with a slash.
    pub path: String,
}

impl LogServer {
    /// Returns true if the server is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for LogServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no log server; write loki+http://HOST:PORT or otlp+https://HOST:PORT"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (protocol, http) = scheme.split_once('+').ok_or_else(wrong)?;
        let named = LogProtocol::ALL.into_iter().find(|known| known.name() == protocol);
        let protocol = named.ok_or_else(wrong)?;
        let is_secure = match http {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Authority { host, port } =
            Authority::parse(authority.as_bytes()).map_err(|_| wrong())?;
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(wrong());
        }
        let path = if matches!(path, "" | "/") { protocol.path() } else { path };
        Ok(Self {
            protocol,
            is_secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.unwrap_or(if is_secure { 443 } else { 80 }),
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for LogServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secure = if self.is_secure { "s" } else { "" };
        write!(f, "{}+http{secure}://{}", self.protocol.name(), self.authority)?;
        if self.path == self.protocol.path() { Ok(()) } else { f.write_str(&self.path) }
    }
}
