//! Metrics and their samples.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::reactor::Histogram;

/// Prefix of the names that are this program's own. Names that begin with `process_` are common to all.
const PREFIX: &str = "tidegate_";

#[derive(Clone, Debug)]
pub(super) struct Metric {
    /// Name without the prefix, and with the suffix `_total` or `_info`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A constant 1, whose labels are the information.
    Info,
}

/// A sample of a metric, with labels if there are several.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) suffix: &'static str,
    pub(super) labels: Vec<Label>,
    pub(super) value: Value,
}

/// Name and text of a label.
pub(super) type Label = (&'static str, String);

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl Metric {
    /// Returns the name as readers of metrics know it.
    pub(super) fn full_name(&self) -> String {
        let prefix = if self.name.starts_with("process_") { "" } else { PREFIX };
        [prefix, self.name].concat()
    }
}

impl Sample {
    /// Returns the name of the sample within its metric.
    pub(super) fn key(&self) -> Cow<'_, str> {
        let suffix = match self.suffix {
            "_bucket" => "",
            suffix => suffix.trim_start_matches('_'),
        };
        let mut parts = self.labels.iter().map(|(_, text)| text.as_str()).chain([suffix]);
        let first = parts.next().unwrap_or_default();
        parts.filter(|part| !part.is_empty()).fold(first.into(), |key: Cow<'_, str>, part| {
            if key.is_empty() { part.into() } else { format!("{key} {part}").into() }
        })
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => write!(f, "{value:.6}"),
        }
    }
}

const fn sample(value: Value) -> Sample {
    Sample { suffix: "", labels: Vec::new(), value }
}

pub(super) fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    let samples = vec![sample(Value::Whole(value))];
    Metric { name, kind: Kind::Counter, help, samples }
}

/// Returns a counter of seconds.
pub(super) fn seconds(name: &'static str, help: &'static str, value: f64) -> Metric {
    Metric { name, kind: Kind::Counter, help, samples: vec![sample(Value::Real(value))] }
}

pub(super) fn gauge(name: &'static str, help: &'static str, value: Value) -> Metric {
    Metric { name, kind: Kind::Gauge, help, samples: vec![sample(value)] }
}

/// Returns a metric that is 1, with these labels.
pub(super) fn info(name: &'static str, help: &'static str, labels: Vec<Label>) -> Metric {
    let samples = vec![Sample { labels, ..sample(Value::Whole(1)) }];
    Metric { name, kind: Kind::Info, help, samples }
}

pub(super) fn labelled(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: impl IntoIterator<Item = (String, u64)>,
) -> Metric {
    let samples = values
        .into_iter()
        .map(|(text, value)| Sample { labels: vec![(label, text)], ..sample(Value::Whole(value)) });
    Metric { name, kind: Kind::Counter, help, samples: samples.collect() }
}

/// Returns a gauge with a value for each text of the label.
pub(super) fn gauges_of(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: impl IntoIterator<Item = (String, u64)>,
) -> Metric {
    Metric { kind: Kind::Gauge, ..labelled(name, help, label, values) }
}

pub(super) fn histogram(name: &'static str, help: &'static str, spread: &Histogram) -> Metric {
    Metric { name, kind: Kind::Histogram, help, samples: samples_of(spread, None).collect() }
}

/// Returns a histogram for each text of the label; those that are empty are left out.
pub(super) fn histograms<'a>(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    spreads: impl IntoIterator<Item = (String, &'a Histogram)>,
) -> Metric {
    let filled = spreads.into_iter().filter(|(_, spread)| spread.count() > 0);
    let samples = filled.flat_map(|(text, spread)| samples_of(spread, Some((label, text))));
    Metric { name, kind: Kind::Histogram, help, samples: samples.collect() }
}

/// Returns the samples of a histogram, all with the same further label.
fn samples_of(spread: &Histogram, label: Option<Label>) -> impl Iterator<Item = Sample> {
    let further: Vec<Label> = label.into_iter().collect();
    // OpenMetrics wants bounds that look like real numbers.
    let bounds = spread.up_to().map(|(bound, count)| (format!("{:?}", bound.as_secs_f64()), count));
    let all = [("+Inf".to_owned(), spread.count())];
    let buckets =
        bounds.chain(all).map(|(bound, count)| ("_bucket", Some(bound), Value::Whole(count)));
    let total = ("_sum", None, Value::Real(spread.total().as_secs_f64()));
    let count = ("_count", None, Value::Whole(spread.count()));
    buckets.chain([total, count]).map(move |(suffix, bound, value)| {
        let bound = bound.map(|bound| ("le", bound));
        Sample { suffix, labels: further.iter().cloned().chain(bound).collect(), value }
    })
}

pub(super) const fn whole(value: usize) -> Value {
    Value::Whole(value as u64)
}

pub(super) const fn longest(spread: &Histogram) -> Value {
    Value::Real(spread.longest().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits")]
pub(super) fn ratio(part: u64, whole: u64) -> Value {
    Value::Real(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}
