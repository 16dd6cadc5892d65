//! What happened in one exchange, and how it is written down.

use std::fmt::{self, Display, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Asker, Scheme};
use crate::http::{Method, Name, RequestHead, Status};
use crate::time::Now;

use super::error::ExchangeError;
use super::event::Event;
use super::log_text::{
    Dates, around_secret, fill, push_escaped, push_number, push_quoted, push_right, push_url,
};

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
    /// A CONNECT tunnel, or a connection that switched to another protocol.
    Tunnel,
    /// Answered by the proxy itself, as asked.
    Own,
    /// Not answered as asked: the request, the origin or the network failed.
    Error,
}

impl Outcome {
    /// All of them, in their order.
    pub const ALL: [Self; 9] = [
        Self::Hit,
        Self::Miss,
        Self::Revalidated,
        Self::Stale,
        Self::Pass,
        Self::Denied,
        Self::Tunnel,
        Self::Own,
        Self::Error,
    ];

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
            Self::Own | Self::Error => "NONE_NONE",
        }
    }
}

/// The facts of one exchange, gathered while it goes on.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    pub(super) started: Now,
    pub(super) client: SocketAddr,
    /// The listener that the client came to.
    pub(super) listener: SocketAddr,
    /// Who has asked, if that was to be said.
    pub(super) user: Option<Arc<str>>,
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
    /// How often the client was wrong of late, this time included.
    pub(super) failures: Option<u32>,
    /// The rule that would have denied it, if it were not only written down.
    pub(super) reported: Option<String>,
    /// What was found out, if somebody wants to know all of it.
    pub(super) trace: Option<Vec<Event>>,
}

impl Journal {
    pub(super) fn new(started: Now, client: SocketAddr, listener: SocketAddr) -> Self {
        Self {
            started,
            client,
            listener,
            user: None,
            request: None,
            url: None,
            outcome: Outcome::Error,
            status: None,
            sent: 0,
            origin: None,
            reason: None,
            failures: None,
            reported: None,
            trace: None,
        }
    }

    /// Takes note of what was found out or decided.
    pub(super) fn note(&mut self, event: Event) {
        match &event {
            Event::Reported(rule) => {
                self.reported.get_or_insert_with(|| rule.reason());
            }
            Event::Failed(error) => {
                self.outcome = if error.is_denial() { Outcome::Denied } else { Outcome::Error };
                self.reason = Some(error.reason());
                if let ExchangeError::Connect { to, .. } = error {
                    self.origin = Some(*to);
                }
            }
            Event::Recognized(user) => self.user = Some(Arc::clone(user)),
            Event::Routed(uri) => self.url = Some(Arc::clone(uri)),
            _ => {}
        }
        if let Some(trace) = &mut self.trace {
            trace.push(event);
        }
    }

    /// What rules ask for of the request.
    pub(super) fn asker<'a>(&'a self, request: &'a RequestHead) -> Asker<'a> {
        // A tunnel to port 80 is for a URL with ws:// or http://.
        let port = request.authority().and_then(|authority| authority.port);
        let secure = request.method() == Method::Connect && port != Some(80);
        Asker {
            client: self.client.ip(),
            user: self.user.as_deref(),
            listener: Some(self.listener),
            method: request.method_name(),
            scheme: if secure { Scheme::Https } else { Scheme::Http },
        }
    }

    /// Takes note of what only matters to who wants to know all of it.
    pub(super) fn trace(&mut self, event: impl FnOnce() -> Event) {
        if let Some(trace) = &mut self.trace {
            trace.push(event());
        }
    }

    /// The URL asked for, as far as it is known.
    pub(super) fn url(&self) -> &str {
        let target = self.request.as_ref().map(|head| head.target());
        self.url.as_deref().or(target).unwrap_or("-")
    }

    /// One line for the log, with its line end.
    pub(super) fn write(&self, format: LogFormat, now: Now, dates: &mut Dates, out: &mut String) {
        let line = Line { journal: self, now };
        match format {
            LogFormat::Human => line.human(dates, out),
            LogFormat::Combined => line.combined(dates, out),
            LogFormat::Squid => line.squid(out),
            LogFormat::Json => line.json(out),
        }
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

impl Display for LogFormat {
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
    fn human(&self, dates: &mut Dates, out: &mut String) {
        let journal = self.journal;
        out.push_str(dates.time(journal.started.unix_seconds()));
        out.push(' ');
        match journal.status {
            Some(status) => push_right(out, status.code().into(), "", 3),
            None => out.push_str("  -"),
        }
        out.push(' ');
        push_filled(out, journal.outcome.name(), 11);
        let (elapsed, unit) = elapsed_in(self.elapsed());
        push_right(out, elapsed, unit, 8);
        let (size, unit) = size_in(journal.sent);
        push_right(out, size, unit, 8);
        out.push(' ');
        let begin = out.len();
        self.push_client(out);
        fill(out, begin, 15);
        out.push(' ');
        push_filled(out, self.method(), 7);
        out.push(' ');
        self.push_url(out, push_escaped);
        if let Some(reason) = &journal.reason {
            out.push_str("  [");
            push_escaped(out, reason);
            if let Some(failures) = journal.failures {
                out.push(' ');
                push_number(out, failures.into(), 1);
            }
            out.push(']');
        }
        if let Some(rule) = &journal.reported {
            out.push_str("  [would-deny ");
            push_escaped(out, rule);
            out.push(']');
        }
    }

    fn combined(&self, dates: &mut Dates, out: &mut String) {
        let journal = self.journal;
        self.push_client(out);
        out.push_str(" - ");
        self.push_user(out);
        out.push_str(" [");
        dates.push_apache(out, journal.started.unix_seconds());
        out.extend(["] \"", self.method(), " "]);
        self.push_url(out, push_url);
        let version = journal.request.as_ref().map_or("1.1", |head| head.version().number());
        out.extend([" HTTP/", version, "\" "]);
        match journal.status {
            Some(status) => push_number(out, status.code().into(), 3),
            None => out.push('-'),
        }
        out.push(' ');
        push_number(out, journal.sent, 1);
        out.push_str(" \"");
        push_escaped(out, self.field(Name::Referer));
        out.push_str("\" \"");
        push_escaped(out, self.field(Name::UserAgent));
        out.push('"');
    }

    fn squid(&self, out: &mut String) {
        let journal = self.journal;
        push_seconds(out, journal.started.since_epoch() + self.elapsed());
        push_right(out, millis(self.elapsed()), "", 7);
        out.push(' ');
        self.push_client(out);
        out.extend([" ", journal.outcome.squid_name(), "/"]);
        push_number(out, journal.status.map_or(0, |status| status.code().into()), 3);
        out.push(' ');
        push_number(out, journal.sent, 1);
        out.extend([" ", self.method(), " "]);
        self.push_url(out, push_url);
        out.push(' ');
        self.push_user(out);
        match journal.origin {
            Some(origin) => {
                out.push_str(" HIER_DIRECT/");
                push_display(out, origin.ip());
                out.push_str(" -");
            }
            None => out.push_str(" HIER_NONE/- -"),
        }
    }

    fn json(&self, out: &mut String) {
        let journal = self.journal;
        out.push_str("{\"time\":");
        push_seconds(out, journal.started.since_epoch());
        out.push_str(",\"client\":\"");
        self.push_client(out);
        out.push('"');
        if let Some(user) = &journal.user {
            out.push_str(",\"user\":");
            push_quoted(out, user);
        }
        out.push_str(",\"method\":");
        push_quoted(out, self.method());
        out.push_str(",\"url\":");
        match self.around_secret() {
            Some((before, after)) => push_quoted(out, &[before, MASK, after].concat()),
            None => push_quoted(out, journal.url()),
        }
        out.push_str(",\"status\":");
        match journal.status {
            Some(status) => push_number(out, status.code().into(), 3),
            None => out.push_str("null"),
        }
        out.extend([",\"result\":\"", journal.outcome.name(), "\",\"ms\":"]);
        push_number(out, millis(self.elapsed()), 1);
        out.push('.');
        push_number(out, u64::from(self.elapsed().subsec_micros() % 1000), 3);
        out.push_str(",\"bytes\":");
        push_number(out, journal.sent, 1);
        if let Some(origin) = journal.origin {
            out.push_str(",\"origin\":\"");
            push_display(out, origin);
            out.push('"');
        }
        if let Some(reason) = &journal.reason {
            out.push_str(",\"reason\":");
            push_quoted(out, reason);
        }
        if let Some(rule) = &journal.reported {
            out.push_str(",\"would_deny\":");
            push_quoted(out, rule);
        }
        if let Some(failures) = journal.failures {
            out.push_str(",\"failures\":");
            push_number(out, failures.into(), 1);
        }
        out.push('}');
    }

    fn elapsed(&self) -> Duration {
        self.now.mono.saturating_duration_since(self.journal.started.mono)
    }

    fn push_client(&self, out: &mut String) {
        push_display(out, self.journal.client.ip());
    }

    /// The user in a column of its own, in which no space may stand.
    fn push_user(&self, out: &mut String) {
        push_url(out, self.journal.user.as_deref().unwrap_or("-"));
    }

    fn method(&self) -> &str {
        self.journal.request.as_ref().map_or("-", |head| head.method_name())
    }

    fn push_url(&self, out: &mut String, push: fn(&mut String, &str)) {
        match self.around_secret() {
            Some((before, after)) => {
                push(out, before);
                out.push_str(MASK);
                push(out, after);
            }
            None => push(out, self.journal.url()),
        }
    }

    /// What stands around the user and password of a request that was refused before it was read:
    /// in others there are none.
    fn around_secret(&self) -> Option<(&str, &str)> {
        let unread = self.journal.request.is_none();
        if unread { around_secret(self.journal.url()) } else { None }
    }

    fn field(&self, name: Name) -> &str {
        let fields = self.journal.request.as_ref().map(|head| head.fields());
        let value = fields.and_then(|fields| fields.get(name));
        value.map_or("-", |value| std::str::from_utf8(value).unwrap_or("-"))
    }
}

/// What stands for a user and a password.
const MASK: &str = "***";

fn push_display(out: &mut String, value: impl Display) {
    let _ = write!(out, "{value}"); // writing to a String does not fail
}

fn push_filled(out: &mut String, text: &str, width: usize) {
    let begin = out.len();
    out.push_str(text);
    fill(out, begin, width);
}

/// Seconds with three decimals.
fn push_seconds(out: &mut String, time: Duration) {
    push_number(out, time.as_secs(), 1);
    out.push('.');
    push_number(out, time.subsec_millis().into(), 3);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn elapsed_in(time: Duration) -> (u64, &'static str) {
    match millis(time) {
        millis @ 0..10_000 => (millis, "ms"),
        _ => (time.as_secs(), "s"),
    }
}

const fn size_in(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0..10_000 => (bytes, "B"),
        10_000..10_240_000 => (bytes >> 10, "K"),
        _ => (bytes >> 20, "M"),
    }
}
