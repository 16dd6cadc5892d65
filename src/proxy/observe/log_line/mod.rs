//! Lines of the access log, in each format.

mod fields;

use std::time::Duration;

use crate::http::{Method, Name, RequestHead, Status};
use crate::proxy::address_text::AddressText;
use crate::proxy::error::{ExchangeError, Timeout};
use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::log_format::LogFormat;
use super::log_text::{
    Dates, around_secret, fill, push_escaped, push_number, push_right, push_url,
};
use super::outcome::{Forwarded, Outcome};
use super::reason::Reason;

/// Adds the line of an exchange that ends `now`, with its line end.
pub(super) fn write(
    record: &ExchangeRecord,
    format: &LogFormat,
    now: Now,
    dates: &mut Dates,
    out: &mut String,
) {
    let line = LogLine { record, now };
    match format {
        LogFormat::Human => line.human(dates, out),
        LogFormat::Combined => line.combined(dates, out),
        LogFormat::Squid => line.squid(out),
        LogFormat::Json => line.json(dates, out),
        LogFormat::Custom(format) => line.custom(format, dates, out),
    }
    out.push('\n');
}

struct LogLine<'a> {
    record: &'a ExchangeRecord,
    now: Now,
}

/// Adds bytes of a peer, escaped for the column.
type Push = fn(&mut String, &[u8]);

impl LogLine<'_> {
    fn human(&self, dates: &mut Dates, out: &mut String) {
        let record = self.record;
        out.push_str(dates.time(record.started.unix_seconds()));
        out.push(' ');
        match record.status {
            Some(status) => push_right(out, status.code().into(), "", 3),
            None => out.push_str("  -"),
        }
        out.push(' ');
        push_filled(out, record.outcome.name(), 11);
        let (elapsed, unit) = elapsed_in(self.elapsed());
        push_right(out, elapsed, unit, 8);
        let (size, unit) = size_in(record.sent);
        push_right(out, size, unit, 8);
        out.push(' ');
        let begin = out.len();
        self.push_client(out);
        fill(out, begin, 15);
        out.push(' ');
        push_filled(out, self.method(), 7);
        out.push(' ');
        if record.unread.is_some() {
            // Quoted, since the line may contain text that looks like the columns after it.
            out.push('"');
            self.push_target(out, push_escaped);
            out.push('"');
        } else {
            self.push_target(out, push_escaped);
        }
        if let Some(reason) = &record.reason {
            out.push_str("  [");
            push_escaped(out, reason.word().as_bytes());
            if let Some(failures) = record.failures {
                out.push(' ');
                push_number(out, failures.into(), 1);
            }
            out.push(']');
        }
        if let Some(reason) = record.not_stored {
            out.extend(["  [not-stored ", reason.name(), "]"]);
        }
        if let Some(certificate) = record.client_certificate() {
            out.push_str("  [cert ");
            push_escaped(out, certificate.subject.as_bytes());
            out.push(']');
        }
        if record.came_in_clear() {
            out.push_str("  [clear]");
        }
        if let Some(rule) = &record.reported {
            out.push_str("  [would-deny ");
            push_escaped(out, rule.as_bytes());
            out.push(']');
        }
    }

    fn combined(&self, dates: &mut Dates, out: &mut String) {
        let record = self.record;
        self.push_client(out);
        out.push_str(" - ");
        self.push_user(out);
        out.push_str(" [");
        dates.push_apache(out, record.started.unix_seconds());
        out.extend(["] \"", self.method(), " "]);
        self.push_url(out);
        let version = record.request.as_ref().map_or("1.1", |head| head.version().number());
        out.extend([" HTTP/", version, "\" "]);
        match record.status {
            Some(status) => push_number(out, status.code().into(), 3),
            None => out.push('-'),
        }
        out.push(' ');
        push_number(out, record.sent, 1);
        out.push_str(" \"");
        push_escaped(out, self.field(Name::Referer));
        out.push_str("\" \"");
        push_escaped(out, self.field(Name::UserAgent));
        out.push('"');
        self.push_not_stored(out);
    }

    /// Writes Squid's format `squid`:
    /// `%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`.
    fn squid(&self, out: &mut String) {
        let record = self.record;
        push_seconds(out, record.started.since_epoch() + self.elapsed());
        push_right(out, millis(self.elapsed()), "", 7);
        out.push(' ');
        self.push_client(out);
        let (code, end) = squid_code(record);
        out.extend([" ", code, end, "/"]);
        push_number(out, record.status.map_or(0, |status| status.code().into()), 3);
        out.push(' ');
        push_number(out, record.sent_in_all, 1);
        out.extend([" ", self.method(), " "]);
        self.push_url(out);
        out.push(' ');
        self.push_user(out);
        match record.origin {
            Some(origin) => {
                out.push_str(" HIER_DIRECT/");
                out.push_str(AddressText::of(origin.ip()).as_str());
                out.push(' ');
            }
            None => out.push_str(" HIER_NONE/- "),
        }
        push_url(out, record.media_type.as_deref().unwrap_or(b"-"));
        self.push_not_stored(out);
    }

    fn elapsed(&self) -> Duration {
        self.record.elapsed(self.now)
    }

    fn push_client(&self, out: &mut String) {
        out.push_str(AddressText::of(self.record.behind).as_str());
    }

    /// Adds the user as a column without spaces.
    fn push_user(&self, out: &mut String) {
        let user = self.record.user.as_deref().filter(|user| !user.is_empty());
        push_url(out, user.unwrap_or("-").as_bytes());
    }

    /// Adds the reason for which the response was not stored as a further column, if there is one: other
    /// lines have the columns that readers of the format know.
    fn push_not_stored(&self, out: &mut String) {
        if let Some(reason) = self.record.not_stored {
            out.extend([" not-stored:", reason.name()]);
        }
    }

    fn method(&self) -> &str {
        self.record.request.as_ref().map_or("-", |head| head.method_name())
    }

    /// Adds the URL as one word. Without a request line, the formats that have no column for the
    /// reason show the reason here.
    fn push_url(&self, out: &mut String) {
        let record = self.record;
        match (&record.reason, record.request.is_none() && record.unread.is_none()) {
            (Some(reason), true) => {
                out.push_str("error:");
                push_url(out, reason.word().as_bytes());
            }
            _ => self.push_target(out, push_url),
        }
    }

    /// Adds the URL, or the line received instead of a head, with any user and password in it
    /// masked.
    fn push_target(&self, out: &mut String, push: Push) {
        let Some(unread) = &self.record.unread else {
            let is_tls = self.record.reason.as_ref().is_some_and(Reason::is_tls_in_clear);
            let url = if is_tls { "(TLS)" } else { self.record.url() };
            return push(out, url.as_bytes());
        };
        match around_secret(unread) {
            Some((before, after)) => {
                push(out, before);
                out.push_str(MASK);
                push(out, after);
            }
            None => push(out, unread),
        }
    }

    fn field(&self, name: Name) -> &[u8] {
        let fields = self.record.request.as_ref().map(|head| head.fields());
        fields.and_then(|fields| fields.get(name)).unwrap_or(b"-")
    }
}

/// Replacement for a user and password.
const MASK: &str = "***";

/// Returns Squid's result code for an exchange, and the suffix for the way it was cut off.
fn squid_code(record: &ExchangeRecord) -> (&'static str, &'static str) {
    let request = record.request.as_deref();
    let connect = request.is_some_and(|request| request.method() == Method::Connect);
    let code = match (record.outcome, record.forwarded) {
        (Outcome::Hit, _) => code_of_hit(request, record.status),
        (Outcome::Miss | Outcome::Pass, Some(Forwarded::Stale)) => "TCP_REFRESH_MODIFIED",
        (Outcome::Miss | Outcome::Pass, Some(Forwarded::Request)) => "TCP_CLIENT_REFRESH_MISS",
        (Outcome::Miss | Outcome::Pass, _) => "TCP_MISS",
        (Outcome::Revalidated, _) => "TCP_REFRESH_UNMODIFIED",
        (Outcome::Stale, _) if record.refresh_failed => "TCP_REFRESH_FAIL_OLD",
        (Outcome::Stale, _) => "TCP_OFFLINE_HIT",
        (Outcome::Denied, _) => "TCP_DENIED",
        (Outcome::Tunnel, _) => "TCP_TUNNEL",
        (Outcome::Error, Some(Forwarded::Stale)) => "TCP_REFRESH_FAIL_ERR",
        (Outcome::Error, Some(_)) => "TCP_MISS",
        (Outcome::Error, None) if connect && record.origin.is_some() => "TCP_TUNNEL",
        (Outcome::Own | Outcome::Error, _) => "NONE_NONE",
    };
    let answered = matches!(record.outcome, Outcome::Error | Outcome::Denied | Outcome::Own);
    let of_client = [Timeout::Header, Timeout::Upload, Timeout::Send, Timeout::Tunnel];
    let end = match &record.reason {
        Some(reason) if reason.timeout().is_some_and(|timeout| of_client.contains(&timeout)) => {
            "_TIMEDOUT"
        }
        Some(Reason::Error(ExchangeError::ClientGone)) => "_ABORTED",
        Some(_) if !answered => "_ABORTED",
        _ => "",
    };
    (code, end)
}

fn code_of_hit(request: Option<&RequestHead>, status: Option<Status>) -> &'static str {
    let has = |name| request.is_some_and(|request| request.fields().has(name));
    match status {
        Some(Status::NOT_MODIFIED) if has(Name::IfNoneMatch) => "TCP_INM_HIT",
        Some(Status::NOT_MODIFIED) => "TCP_IMS_HIT",
        _ => "TCP_MEM_HIT",
    }
}

fn push_filled(out: &mut String, text: &str, width: usize) {
    let begin = out.len();
    out.push_str(text);
    fill(out, begin, width);
}

/// Adds seconds with three decimals.
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

#[cfg(test)]
mod tests;
