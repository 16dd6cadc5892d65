//! Metrics and their samples.

use std::fmt::{self, Display};

use crate::reactor::Histogram;

#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// A sample of a metric, with a label if there are several.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) suffix: &'static str,
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: Value,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl Sample {
    /// Returns the name of the sample within its metric.
    pub(super) fn key(&self) -> &str {
        match &self.label {
            Some((_, text)) => text,
            None => self.suffix.trim_start_matches('_'),
        }
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
    Sample { suffix: "", label: None, value }
}

pub(super) fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, kind: "counter", help, samples: vec![sample(Value::Whole(value))] }
}

pub(super) fn gauge(name: &'static str, help: &'static str, value: Value) -> Metric {
    Metric { name, kind: "gauge", help, samples: vec![sample(value)] }
}

pub(super) fn labelled(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: impl IntoIterator<Item = (String, u64)>,
) -> Metric {
    let samples = values
        .into_iter()
        .map(|(text, value)| Sample { label: Some((label, text)), ..sample(Value::Whole(value)) });
    Metric { name, kind: "counter", help, samples: samples.collect() }
}

/// Returns a gauge with a value for each text of the label.
pub(super) fn gauges_of(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: impl IntoIterator<Item = (String, u64)>,
) -> Metric {
    Metric { kind: "gauge", ..labelled(name, help, label, values) }
}

pub(super) fn histogram(name: &'static str, help: &'static str, spread: &Histogram) -> Metric {
    let bucket = |(bound, count): (String, u64)| Sample {
        suffix: "_bucket",
        label: Some(("le", bound)),
        value: Value::Whole(count),
    };
    let bounds = spread.up_to().map(|(bound, count)| (bound.as_secs_f64().to_string(), count));
    let mut samples: Vec<_> =
        bounds.chain([("+Inf".to_owned(), spread.count())]).map(bucket).collect();
    let total = Value::Real(spread.total().as_secs_f64());
    samples.push(Sample { suffix: "_sum", ..sample(total) });
    samples.push(Sample { suffix: "_count", ..sample(Value::Whole(spread.count())) });
    Metric { name, kind: "histogram", help, samples }
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
