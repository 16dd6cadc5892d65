//! Bodies of requests to log servers.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::destination::LogProtocol;
use super::labels::{Labels, STATUS_CLASS};
use super::members::Members;
use super::severity::Severity;

/// Encoder of batches for one server.
#[derive(Clone, Debug)]
pub struct BatchEncoder {
    protocol: LogProtocol,
    labels: Labels,
    gzip: bool,
    /// Last timestamp of each stream in nanoseconds, by its status class.
    last: BTreeMap<&'static str, u64>,
}

impl BatchEncoder {
    /// Creates an encoder, which compresses bodies if `gzip`.
    #[must_use]
    pub const fn new(protocol: LogProtocol, labels: Labels, gzip: bool) -> Self {
        Self { protocol, labels, gzip, last: BTreeMap::new() }
    }

    /// Returns the body for lines in JSON. The timestamp of a line is the end of its exchange, or `now`, since
    /// 1970, if the line tells none.
    ///
    /// # Errors
    /// The errors of the compressor.
    pub fn encode(&mut self, lines: &str, now: Duration) -> io::Result<Vec<u8>> {
        let body = match self.protocol {
            LogProtocol::Loki => self.loki(lines, now),
            LogProtocol::Otlp => self.otlp(lines, now),
        };
        let body = body.to_string().into_bytes();
        if !self.gzip {
            return Ok(body);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&body)?;
        encoder.finish()
    }

    /// Returns a push request (`POST /loki/api/v1/push`). Timestamps of a stream increase strictly, so that no
    /// server refuses a line for its order.
    fn loki(&mut self, lines: &str, now: Duration) -> Value {
        let mut streams: BTreeMap<&'static str, Vec<(u64, &str)>> = BTreeMap::new();
        for line in lines.lines() {
            let members = Members::read(line);
            let class = members.as_ref().and_then(Members::status).map_or("none", class_of);
            let ended = members.and_then(|members| members.ended()).unwrap_or(now);
            streams.entry(class).or_default().push((nanos(ended), line));
        }
        let stream = |(class, mut entries): (&'static str, Vec<(u64, &str)>)| {
            entries.sort_by_key(|(time, _)| *time);
            let last = self.last.entry(class).or_default();
            let value = |(time, line): (u64, &str)| {
                *last = time.max(last.saturating_add(1));
                json!([last.to_string(), line])
            };
            let values: Vec<Value> = entries.into_iter().map(value).collect();
            let labels = self.labels.complete(self.protocol).into_iter();
            let labels = labels.chain([(STATUS_CLASS, class)]);
            let labels = labels.map(|(name, value)| (name.to_owned(), Value::from(value)));
            json!({"stream": labels.collect::<serde_json::Map<_, _>>(), "values": values})
        };
        json!({"streams": streams.into_iter().map(stream).collect::<Vec<_>>()})
    }

    /// Returns an `ExportLogsServiceRequest` (`POST /v1/logs`).
    fn otlp(&self, lines: &str, now: Duration) -> Value {
        let resource: Vec<Value> = self
            .labels
            .complete(self.protocol)
            .into_iter()
            .map(|(name, value)| json!({"key": name, "value": {"stringValue": value}}))
            .collect();
        let records: Vec<Value> = lines.lines().map(|line| record(line, now)).collect();
        json!({"resourceLogs": [{
            "resource": {"attributes": resource},
            "scopeLogs": [{
                "scope": {"name": "tidegate", "version": env!("CARGO_PKG_VERSION")},
                "logRecords": records,
            }],
        }]})
    }
}

/// Returns a log record.
fn record(line: &str, now: Duration) -> Value {
    let members = Members::read(line);
    let time = members.as_ref().and_then(Members::ended).unwrap_or(now);
    let severity = members.as_ref().map_or(Severity::Info, Members::severity);
    // The numbers for messages of syslog (OpenTelemetry, "Mapping of SeverityNumber").
    let (number, text) = match severity {
        Severity::Error => (17, "ERROR"),
        Severity::Notice => (10, "NOTICE"),
        Severity::Info => (9, "INFO"),
    };
    let attributes = members.as_ref().map(|members| members.flat('.')).unwrap_or_default();
    let attribute =
        |(name, value): (String, &Value)| json!({"key": name, "value": any_value(value)});
    let time = nanos(time).to_string();
    json!({
        "timeUnixNano": time,
        "observedTimeUnixNano": time,
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": members.as_ref().map_or_else(|| line.to_owned(), Members::message)},
        "attributes": attributes.into_iter().map(attribute).collect::<Vec<_>>(),
    })
}

/// Returns an `AnyValue`, in which whole numbers of 64 bits are text (proto3, "JSON Mapping").
fn any_value(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({"intValue": whole.to_string()}),
            None => json!({"doubleValue": number}),
        },
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    }
}

const fn class_of(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "none",
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
