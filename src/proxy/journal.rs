//! What happened in one exchange, and how it is written down.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::http::{Fields, Name, RequestHead, Status, date};
use crate::time::Now;

/// What became of a request: one word in the log, in `Cache-Status` and in the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from the cache.
    Hit,
    /// Fetched, as far as the cache is concerned stored or storable.
    Miss,
    /// Answered from the cache after the origin said that it still holds.
    Revalidated,
    /// Answered from the cache though stale.
    Stale,
    /// Fetched past the cache.
    Pass,
    /// Refused by a rule of this proxy.
    Denied,
    /// A CONNECT tunnel, or a connection that switched to WebSocket.
    Tunnel,
    /// Answered by the proxy itself, as asked.
    Own,
    /// Not answered as asked: the request, the origin or the network failed.
    Error,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::Revalidated => "REVALIDATED",
            Self::Stale => "STALE",
            Self::Pass => "PASS",
            Self::Denied => "DENIED",
            Self::Tunnel => "TUNNEL",
            Self::Own => "OWN",
            Self::Error => "ERROR",
        }
    }

    /// The word Squid has for it.
    const fn squid_name(self) -> &'static str {
        match self {
            Self::Hit => "TCP_MEM_HIT",
            Self::Miss | Self::Pass => "TCP_MISS",
            Self::Revalidated => "TCP_REFRESH_UNMODIFIED",
            Self::Stale => "TCP_STALE_HIT",
            Self::Denied => "TCP_DENIED",
            Self::Tunnel => "TCP_TUNNEL",
            Self::Own => "NONE_NONE",
            Self::Error => "NONE_NONE",
        }
    }
}

/// The facts of one exchange, gathered while it goes on.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    pub(super) started: Now,
    pub(super) client: SocketAddr,
    /// The head, unless it was never whole.
    pub(super) request: Option<Rc<RequestHead>>,
    /// The URL asked for, if it is not the request's target as it came.
    pub(super) url: Option<Arc<str>>,
    pub(super) outcome: Outcome,
    pub(super) status: Option<Status>,
    /// Bytes of content sent to the client, or of both directions of a tunnel.
    pub(super) sent: u64,
    /// The origin's address, if one was asked.
    pub(super) origin: Option<SocketAddr>,
    /// Why it was refused or failed.
    pub(super) reason: Option<String>,
}

impl Journal {
    pub(super) fn new(started: Now, client: SocketAddr) -> Self {
        Self {
            started,
            client,
            request: None,
            url: None,
            outcome: Outcome::Error,
            status: None,
            sent: 0,
            origin: None,
            reason: None,
        }
    }

    /// The URL asked for, as far as it is known.
    pub(super) fn url(&self) -> &str {
        let target = self.request.as_ref().map(|head| head.target());
        self.url.as_deref().or(target).unwrap_or("-")
    }

    /// One line for the log, with its line end.
    pub(super) fn write(&self, format: LogFormat, now: Now, out: &mut String) {
        let line = Line { journal: self, now };
        // Writing to a String does not fail.
        let _ = match format {
            LogFormat::Human => line.human(out),
            LogFormat::Combined => line.combined(out),
            LogFormat::Squid => line.squid(out),
            LogFormat::Json => line.json(out),
        };
        out.push('\n');
    }
}

/// How access log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Aligned, for people.
    Human,
    /// Apache's combined format.
    Combined,
    /// Squid's native format.
    Squid,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The names of all formats, as options have them.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("human", Self::Human),
        ("combined", Self::Combined),
        ("squid", Self::Squid),
        ("json", Self::Json),
    ];
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|&(_, format)| format).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|&(name, _)| name).collect();
            format!("'{text}' is none of {}", names.join(", "))
        })
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(known.map_or("", |&(name, _)| name))
    }
}

struct Line<'a> {
    journal: &'a Journal,
    now: Now,
}

impl Line<'_> {
    fn human(&self, out: &mut String) -> fmt::Result {
        let journal = self.journal;
        let time = Civil::of(journal.started.unix_seconds());
        write!(out, "{:02}:{:02}:{:02} ", time.hour, time.minute, time.second)?;
        write!(out, "{:>3} {:<11} ", Code(journal.status), journal.outcome.name())?;
        write!(out, "{:>7} {:>7} ", Elapsed(self.elapsed()), Size(journal.sent))?;
        write!(out, "{:<15} {:<7} {}", self.client(), self.method(), Escaped(journal.url()))?;
        match &journal.reason {
            Some(reason) => write!(out, "  [{}]", Escaped(reason)),
            None => Ok(()),
        }
    }

    fn combined(&self, out: &mut String) -> fmt::Result {
        let journal = self.journal;
        let time = Civil::of(journal.started.unix_seconds());
        write!(
            out,
            "{} - - [{:02}/{}/{}:{:02}:{:02}:{:02} +0000] \"",
            self.client(),
            time.day,
            time.month_name(),
            time.year,
            time.hour,
            time.minute,
            time.second
        )?;
        let version = journal.request.as_ref().map_or("1.1", |head| head.version().number());
        write!(out, "{} {} HTTP/{version}\" ", self.method(), Escaped(journal.url()))?;
        write!(out, "{} {} ", Code(journal.status), journal.sent)?;
        write!(out, "\"{}\" \"{}\"", self.field(Name::Referer), self.field(Name::UserAgent))
    }

    fn squid(&self, out: &mut String) -> fmt::Result {
        let journal = self.journal;
        let ended = journal.started.since_epoch() + self.elapsed();
        let status = journal.status.map_or(0, Status::code);
        write!(out, "{}.{:03} ", ended.as_secs(), ended.subsec_millis())?;
        write!(out, "{:>6} {} ", self.elapsed().as_millis(), self.client())?;
        write!(out, "{}/{status:03} {} ", journal.outcome.squid_name(), journal.sent)?;
        write!(out, "{} {} - ", self.method(), Escaped(journal.url()))?;
        match journal.origin {
            Some(origin) => write!(out, "HIER_DIRECT/{} -", origin.ip()),
            None => out.write_str("HIER_NONE/- -"),
        }
    }

    fn json(&self, out: &mut String) -> fmt::Result {
        let journal = self.journal;
        let time = journal.started.since_epoch();
        write!(out, "{{\"time\":{}.{:03},", time.as_secs(), time.subsec_millis())?;
        write!(out, "\"client\":\"{}\",\"method\":{},", self.client(), Quoted(self.method()))?;
        write!(out, "\"url\":{},", Quoted(journal.url()))?;
        match journal.status {
            Some(status) => write!(out, "\"status\":{status},")?,
            None => out.write_str("\"status\":null,")?,
        }
        write!(out, "\"result\":\"{}\",", journal.outcome.name())?;
        write!(out, "\"ms\":{:.3},", self.elapsed().as_secs_f64() * 1000.0)?;
        write!(out, "\"bytes\":{}", journal.sent)?;
        if let Some(origin) = journal.origin {
            write!(out, ",\"origin\":\"{origin}\"")?;
        }
        if let Some(reason) = &journal.reason {
            write!(out, ",\"reason\":{}", Quoted(reason))?;
        }
        out.write_char('}')
    }

    fn elapsed(&self) -> Duration {
        self.now.mono.saturating_duration_since(self.journal.started.mono)
    }

    const fn client(&self) -> IpAddr {
        self.journal.client.ip()
    }

    fn method(&self) -> &str {
        self.journal.request.as_ref().map_or("-", |head| head.method_name())
    }

    fn field(&self, name: Name) -> Escaped<'_> {
        let fields: Option<&Fields> = self.journal.request.as_ref().map(|head| head.fields());
        let value = fields.and_then(|fields| fields.get(name));
        Escaped(value.map_or("-", |value| std::str::from_utf8(value).unwrap_or("-")))
    }
}

struct Code(Option<Status>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => status.fmt(f),
            None => f.pad("-"),
        }
    }
}

struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let text = match millis {
            0..10_000 => format!("{millis}ms"),
            _ => format!("{}s", millis / 1000),
        };
        f.pad(&text)
    }
}

struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            bytes @ 0..10_000 => format!("{bytes}B"),
            bytes @ 10_000..10_240_000 => format!("{}K", bytes >> 10),
            bytes => format!("{}M", bytes >> 20),
        };
        f.pad(&text)
    }
}

/// Text as it may stand in a line, also within quotes: one peer's bytes must not look like another
/// line, nor move a terminal's cursor.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                _ if c.is_control() => write!(f, "\\x{:02x}", c as u32)?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A JSON string (RFC 8259 §7).
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                _ if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A time in UTC.
struct Civil {
    year: u64,
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Civil {
    /// From seconds since 1970, by way of the formatter of dates.
    fn of(seconds: u64) -> Self {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        let text = date::format(time); // Sun, 06 Nov 1994 08:49:37 GMT
        let number = |from: usize, to: usize| text[from..to].parse().unwrap_or(0);
        let month = MONTHS.iter().position(|name| *name == &text[8..11]).unwrap_or(0);
        Self {
            year: number(12, 16),
            month,
            day: number(5, 7),
            hour: number(17, 19),
            minute: number(20, 22),
            second: number(23, 25),
        }
    }

    const fn month_name(&self) -> &'static str {
        MONTHS[self.month]
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
