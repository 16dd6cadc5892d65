//! Lines that consist of named fields: `json`, and the custom formats.

use std::borrow::Cow;
use std::time::Duration;

use crate::http::{Name, RequestHead};
use crate::proxy::address_text::AddressText;
use crate::proxy::observe::log_field::LogField;
use crate::proxy::observe::log_format::{CustomFormat, FormatPart};
use crate::proxy::observe::log_text::{Dates, push_escaped, push_json, push_number};
use crate::tls::Facts;

use super::LogLine;

/// Value of a field.
enum Value<'a> {
    /// Bytes of a peer, or words of the operator.
    Text(Cow<'a, [u8]>),
    /// The target URI, or what was received instead.
    Url,
    /// Time since 1970.
    Date(Duration),
    Number(u64),
    Millis(Duration),
    Truth(bool),
}

impl<'a> Value<'a> {
    fn text(text: &'a str) -> Self {
        Self::Text(text.as_bytes().into())
    }

    fn display(value: &impl ToString) -> Self {
        Self::Text(value.to_string().into_bytes().into())
    }
}

impl LogLine<'_> {
    /// Writes an object, from which fields without a value are left out.
    pub(super) fn json(&self, dates: &mut Dates, out: &mut String) {
        let mut before = '{';
        for &(field, name, _) in LogField::ALL {
            let Some(value) = self.value(field) else { continue };
            out.push(before);
            out.extend(["\"", name, "\":"]);
            before = ',';
            match value {
                Value::Text(text) => {
                    out.push('"');
                    push_json(out, &text);
                    out.push('"');
                }
                Value::Url => {
                    out.push('"');
                    self.push_target(out, push_json);
                    out.push('"');
                }
                Value::Date(date) => {
                    out.push('"');
                    dates.push_rfc3339(out, date);
                    out.push('"');
                }
                value => push_plain(out, &value),
            }
        }
        out.push('}');
    }

    /// Writes a custom format. A field without a value is `-`.
    pub(super) fn custom(&self, format: &CustomFormat, dates: &mut Dates, out: &mut String) {
        for part in &format.parts {
            let field = match part {
                FormatPart::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                FormatPart::Field(field) => *field,
            };
            match self.value(field) {
                None => out.push('-'),
                Some(Value::Text(text)) => push_escaped(out, &text),
                Some(Value::Url) => self.push_target(out, push_escaped),
                Some(Value::Date(date)) => dates.push_rfc3339(out, date),
                Some(value) => push_plain(out, &value),
            }
        }
    }

    /// Returns the value of a field; `None` if the exchange has none.
    fn value(&self, field: LogField) -> Option<Value<'_>> {
        let record = self.record;
        let millis = |time: Option<Duration>| time.map(Value::Millis);
        Some(match field {
            LogField::Time => Value::Date(record.started.since_epoch()),
            LogField::Client => Value::display(&AddressText::of(record.behind).as_str()),
            LogField::Peer if record.behind != record.client.ip() => {
                Value::display(&AddressText::of(record.client.ip()).as_str())
            }
            LogField::User => Value::text(record.user.as_deref()?),
            LogField::Listener if !record.listener.address.ip().is_unspecified() => {
                Value::display(&record.listener.address)
            }
            LogField::Method => Value::text(record.request.as_ref()?.method_name()),
            LogField::Url => Value::Url,
            LogField::Host => Value::text(host_of(record.url.as_deref()?)?),
            LogField::Version => Value::text(record.request.as_ref()?.version().number()),
            LogField::Status => Value::Number(record.status?.code().into()),
            LogField::Result => Value::text(record.outcome.name()),
            LogField::Reason => match record.reason.as_ref()?.word() {
                Cow::Borrowed(word) => Value::text(word),
                Cow::Owned(word) => Value::Text(word.into_bytes().into()),
            },
            LogField::NotStored => Value::text(record.not_stored?.name()),
            LogField::WouldDeny => Value::text(record.reported.as_deref()?),
            LogField::Failures => Value::Number(record.failures?.into()),
            LogField::Clear if record.came_in_clear() => Value::Truth(true),
            LogField::Duration => Value::Millis(self.elapsed()),
            LogField::FirstByte => millis(record.first_byte)?,
            LogField::Queue => millis(record.timings.queue)?,
            LogField::Lookup => millis(record.timings.lookup)?,
            LogField::Connect => millis(record.timings.connect)?,
            LogField::Handshake => millis(record.timings.handshake)?,
            LogField::OriginFirstByte => millis(record.timings.first_byte)?,
            LogField::Bytes => Value::Number(record.sent),
            LogField::BytesOut => Value::Number(record.sent_in_all),
            LogField::BytesIn => Value::Number(record.received_in_all),
            LogField::Type => Value::Text(record.media_type.as_deref()?.into()),
            LogField::Coding => Value::text(record.coding?.name()),
            LogField::Group => Value::text(record.group.as_deref()?),
            LogField::Origin => Value::display(&record.origin?),
            LogField::Id => Value::display(record.id.as_ref()?),
            LogField::Traceparent => {
                self.of_request(|head| head.fields().all_named(b"traceparent").next())?
            }
            LogField::Referer => self.of_request(|head| head.fields().get(Name::Referer))?,
            LogField::Agent => self.of_request(|head| head.fields().get(Name::UserAgent))?,
            LogField::TlsVersion => Value::text(self.tls()?.version),
            LogField::TlsCipher => Value::text(&self.tls()?.cipher),
            LogField::TlsSni => Value::text(self.tls()?.server_name.as_deref()?),
            LogField::TlsCert => Value::text(&record.client_certificate()?.subject),
            LogField::TlsResumed => Value::Truth(self.tls()?.is_resumed),
            LogField::Peer | LogField::Listener | LogField::Clear => return None,
        })
    }

    fn of_request(
        &self,
        value: impl for<'h> FnOnce(&'h RequestHead) -> Option<&'h [u8]>,
    ) -> Option<Value<'_>> {
        let head = self.record.request.as_deref()?;
        value(head).map(|value| Value::Text(value.into()))
    }

    fn tls(&self) -> Option<&Facts> {
        self.record.tls.as_deref()
    }
}

/// Adds a number or a truth value.
fn push_plain(out: &mut String, value: &Value<'_>) {
    match *value {
        Value::Number(number) => push_number(out, number, 1),
        Value::Millis(time) => {
            push_number(out, u64::try_from(time.as_millis()).unwrap_or(u64::MAX), 1);
            out.push('.');
            push_number(out, u64::from(time.subsec_micros() % 1000), 3);
        }
        Value::Truth(truth) => out.push_str(if truth { "true" } else { "false" }),
        Value::Text(_) | Value::Url | Value::Date(_) => {}
    }
}

/// Returns host and port of a URI.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())
}
