//! Formats of metrics: text for people, JSON, and those of Prometheus and OpenMetrics.

use std::fmt::{self, Display, Write};

use crate::proxy::observe::log_text::push_quoted;
use crate::proxy::observe::metric::{Kind, Label, Metric, Sample};

use super::Stats;

impl Stats {
    /// Returns the metrics in the text format of Prometheus (version 0.0.4).
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        for metric in &self.0 {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge | Kind::Info => "gauge",
                Kind::Histogram => "histogram",
            };
            let name = metric.full_name();
            push_metric(&mut out, metric, &name, (kind, &name));
        }
        out
    }

    /// Returns the metrics in the text format of OpenMetrics (version 1.0.0), without exemplars.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        let mut out = String::new();
        for metric in &self.0 {
            let (kind, suffix) = match metric.kind {
                Kind::Counter => ("counter", "_total"),
                Kind::Gauge => ("gauge", ""),
                Kind::Histogram => ("histogram", ""),
                Kind::Info => ("info", "_info"),
            };
            let name = metric.full_name();
            let family = name.strip_suffix(suffix).unwrap_or(&name);
            push_metric(&mut out, metric, &name, (kind, family));
        }
        out.push_str("# EOF\n");
        out
    }

    /// Returns the metrics as a JSON object, in one line.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::new();
        for Metric { name, samples, .. } in &self.0 {
            let before = if out.is_empty() { "{" } else { "," };
            push(&mut out, format_args!("{before}\"{name}\":"));
            if let [Sample { labels, value, .. }] = samples.as_slice()
                && labels.is_empty()
            {
                push(&mut out, value);
                continue;
            }
            out.push('{');
            for (at, sample) in samples.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                push_quoted(&mut out, &sample.key());
                push(&mut out, format_args!(":{}", sample.value));
            }
            out.push('}');
        }
        out.push_str("}\n");
        out
    }
}

/// Text for people: a line per sample.
impl Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Metric { name, samples, .. } in &self.0 {
            for sample in samples {
                let name = [name, " ", &sample.key()].concat();
                writeln!(f, "{:32} {}", name.trim_end(), sample.value)?;
            }
        }
        Ok(())
    }
}

/// Adds a metric: kind and name of the family, then the samples.
fn push_metric(out: &mut String, metric: &Metric, name: &str, (kind, family): (&str, &str)) {
    push(out, format_args!("# HELP {family} {}\n# TYPE {family} {kind}\n", metric.help));
    for Sample { suffix, labels, value } in &metric.samples {
        push(out, format_args!("{name}{suffix}"));
        push_labels(out, labels);
        push(out, format_args!(" {value}\n"));
    }
}

/// Adds labels, whose texts are escaped.
fn push_labels(out: &mut String, labels: &[Label]) {
    for (at, (label, text)) in labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        push(out, format_args!("{before}{label}=\""));
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
}

fn push(out: &mut String, text: impl Display) {
    let _ = write!(out, "{text}"); // writing to a String does not fail
}
