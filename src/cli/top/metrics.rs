//! Metrics of the proxy, as `stats json` gives them.

use serde_json::{Map, Value};

/// Metrics at one moment. Those that the proxy does not have are zero, or without labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics(Map<String, Value>);

impl Metrics {
    /// Parses a JSON object.
    ///
    /// # Errors
    /// A message about text that is no JSON object.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(metrics)) => Ok(Self(metrics)),
            Ok(_) => Err("the metrics of the proxy are no JSON object".to_owned()),
            Err(error) => Err(format!("the metrics of the proxy cannot be read: {error}")),
        }
    }

    /// Returns the value of a metric without labels.
    pub(super) fn value(&self, name: &str) -> f64 {
        self.0.get(name).and_then(Value::as_f64).unwrap_or_default()
    }

    /// Returns the value of a metric with a label.
    pub(super) fn labelled(&self, name: &str, label: &str) -> Option<f64> {
        self.0.get(name)?.get(label)?.as_f64()
    }

    /// Returns the labels and values of a metric.
    pub(super) fn labels(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let values = self.0.get(name).and_then(Value::as_object).into_iter().flatten();
        values.filter_map(|(label, value)| Some((label.as_str(), value.as_f64()?)))
    }

    /// Returns the label of an info metric.
    pub(super) fn info(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_object()?.keys().next().map(String::as_str)
    }
}
