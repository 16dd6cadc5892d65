//! Metrics of a running proxy, as text for people, as JSON, and for Prometheus (text format 0.0.4).

use std::fmt::{self, Display, Write};

use crate::cache::CacheStats;
use crate::reactor::{Histogram, LoopStats};

use super::counters::Counters;
use super::outcome::Outcome;

/// The metrics at one moment.
#[derive(Clone, Debug)]
pub struct Stats(Vec<Metric>);

/// Current values that are not counted but read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) cache: CacheStats,
    pub(crate) clients: usize,
    pub(crate) tunnels: usize,
    pub(crate) fetching: usize,
    pub(crate) pooled: usize,
    /// Passwords being verified.
    pub(crate) passwords: usize,
    pub(crate) lost_log_lines: u64,
    /// Origin connections that delivered bytes outside any response.
    pub(crate) strays: u64,
    /// Connections refused because their client had its share of the places.
    pub(crate) refused: u64,
    /// Bytes of memory held for connections.
    pub(crate) memory: usize,
}

#[derive(Clone, Debug)]
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<Sample>,
}

/// A sample of a metric, with a label if there are several.
#[derive(Clone, Debug)]
struct Sample {
    suffix: &'static str,
    label: Option<(&'static str, String)>,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Whole(u64),
    Real(f64),
}

impl Stats {
    pub(crate) fn of(counters: &Counters, gauges: &Gauges, load: &LoopStats) -> Self {
        let Gauges { cache, .. } = *gauges;
        let by_outcome = |figure: fn((u64, u64)) -> u64| {
            let figures = Outcome::ALL.iter().map(|&outcome| {
                (outcome.name().to_ascii_lowercase(), figure(counters.of(outcome)))
            });
            figures.collect::<Vec<_>>()
        };
        let [hits, all] = counters.hits();
        let connections = [("new", counters.dialled), ("reused", counters.reused)];
        let connections = connections.map(|(kind, count)| (kind.to_owned(), count));
        Self(vec![
            labelled(
                "requests_total",
                "Requests finished, by result.",
                "result",
                by_outcome(|of| of.0),
            ),
            labelled(
                "sent_bytes_total",
                "Bytes of content sent to clients, by result.",
                "result",
                by_outcome(|of| of.1),
            ),
            gauge(
                "hit_ratio",
                "Fraction of requests answered from the cache rather than from an origin.",
                ratio(hits.0, all.0),
            ),
            gauge(
                "hit_ratio_bytes",
                "Fraction of content bytes sent from the cache rather than from an origin.",
                ratio(hits.1, all.1),
            ),
            counter(
                "saved_bytes_total",
                "Bytes of content sent from the cache instead of an origin.",
                hits.1,
            ),
            gauge("cache_objects", "URLs with a stored response.", whole(cache.entries)),
            gauge("cache_bytes", "Memory used by the cache, in bytes.", whole(cache.bytes)),
            gauge(
                "cache_slack_bytes",
                "Memory of the cache lost to allocator fragmentation, in bytes.",
                whole(cache.slack),
            ),
            counter(
                "cache_evictions_total",
                "URLs evicted from the cache to free memory.",
                cache.evicted,
            ),
            counter(
                "purged_total",
                "Stored responses removed or made stale by purges.",
                counters.purged,
            ),
            counter("fetches_total", "Fetches from origins begun.", counters.fetches),
            labelled(
                "connections_total",
                "Connections to origins taken for requests, new or reused.",
                "kind",
                connections,
            ),
            counter(
                "origin_strays_total",
                "Connections on which an origin sent bytes outside any response.",
                gauges.strays,
            ),
            gauge("fetches", "Fetches from origins in flight.", whole(gauges.fetching)),
            gauge("pool_idle", "Idle connections to origins.", whole(gauges.pooled)),
            gauge(
                "clients",
                "Open client connections, tunnels not included.",
                whole(gauges.clients),
            ),
            gauge("tunnels", "Open tunnels.", whole(gauges.tunnels)),
            counter(
                "clients_refused_total",
                "Connections refused because their client had its share of the places.",
                gauges.refused,
            ),
            gauge(
                "connection_bytes",
                "Memory held for connections, in bytes.",
                whole(gauges.memory),
            ),
            counter(
                "connections_relieved_total",
                "Connections closed to free their memory.",
                counters.relieved,
            ),
            counter("auth_failures_total", "Requests with wrong credentials.", counters.failures),
            counter(
                "auth_bans_total",
                "Clients banned after repeated authentication failures.",
                counters.bans,
            ),
            gauge("passwords", "Passwords being verified.", whole(gauges.passwords)),
            labelled(
                "denials_total",
                "Requests denied, by rule.",
                "rule",
                counters.denials.iter().map(|(rule, &count)| (rule.to_string(), count)),
            ),
            counter(
                "would_deny_total",
                "Requests that a report rule would have denied.",
                counters.reported,
            ),
            labelled(
                "timeouts_total",
                "Exchanges ended by a timeout, by cause.",
                "for",
                counters.timeouts.iter().map(|(&name, &count)| (name.to_owned(), count)),
            ),
            counter(
                "log_dropped_total",
                "Access log lines lost before they were written.",
                gauges.lost_log_lines,
            ),
            spread("turn_seconds", "Duration of turns of the event loop, in seconds.", &load.turns),
            gauge(
                "turn_longest_seconds",
                "Longest turn of the event loop since the start, in seconds.",
                seconds(&load.turns),
            ),
            spread(
                "lag_seconds",
                "Delay from a deadline until the event loop handles it, in seconds.",
                &load.lag,
            ),
            gauge(
                "lag_longest_seconds",
                "Longest delay of a deadline since the start, in seconds.",
                seconds(&load.lag),
            ),
        ])
    }

    /// Returns the metrics in the text format of Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        for Metric { name, kind, help, samples } in &self.0 {
            push(&mut out, format_args!("# HELP tidegate_{name} {help}\n"));
            push(&mut out, format_args!("# TYPE tidegate_{name} {kind}\n"));
            for Sample { suffix, label, value } in samples {
                push(&mut out, format_args!("tidegate_{name}{suffix}"));
                if let Some((label, text)) = label {
                    push(&mut out, format_args!("{{{label}=\"{text}\"}}"));
                }
                push(&mut out, format_args!(" {value}\n"));
            }
        }
        out
    }

    /// Returns the metrics as a JSON object, in one line.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::new();
        for Metric { name, samples, .. } in &self.0 {
            let before = if out.is_empty() { "{" } else { "," };
            push(&mut out, format_args!("{before}\"{name}\":"));
            if let [Sample { label: None, value, .. }] = samples.as_slice() {
                push(&mut out, value);
                continue;
            }
            out.push('{');
            for (at, sample) in samples.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                push(&mut out, format_args!("{comma}\"{}\":{}", sample.key(), sample.value));
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
                let name = [name, " ", sample.key()].concat();
                writeln!(f, "{:32} {}", name.trim_end(), sample.value)?;
            }
        }
        Ok(())
    }
}

impl Sample {
    /// Returns the name of the sample within its metric.
    fn key(&self) -> &str {
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

fn push(out: &mut String, text: impl Display) {
    let _ = write!(out, "{text}"); // writing to a String does not fail
}

const fn sample(value: Value) -> Sample {
    Sample { suffix: "", label: None, value }
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric { name, kind: "counter", help, samples: vec![sample(Value::Whole(value))] }
}

fn gauge(name: &'static str, help: &'static str, value: Value) -> Metric {
    Metric { name, kind: "gauge", help, samples: vec![sample(value)] }
}

fn labelled(
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

fn spread(name: &'static str, help: &'static str, spread: &Histogram) -> Metric {
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

const fn whole(value: usize) -> Value {
    Value::Whole(value as u64)
}

const fn seconds(spread: &Histogram) -> Value {
    Value::Real(spread.longest().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits")]
fn ratio(part: u64, whole: u64) -> Value {
    Value::Real(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_show_the_same_values() {
        let mut counters = Counters::default();
        (counters.fetches, counters.dialled, counters.reused) = (3, 2, 1);
        counters.denials.insert("client".into(), 2);
        let gauges = Gauges {
            cache: CacheStats { entries: 5, bytes: 1000, slack: 0, evicted: 7 },
            clients: 1,
            tunnels: 0,
            fetching: 0,
            pooled: 2,
            passwords: 3,
            lost_log_lines: 0,
            strays: 0,
            refused: 0,
            memory: 0,
        };
        let stats = Stats::of(&counters, &gauges, &LoopStats::default());
        let (people, json, prometheus) = (stats.to_string(), stats.json(), stats.prometheus());
        assert!(people.contains("\ncache_objects                    5\n"), "{people}");
        assert!(people.contains("\nconnections_total reused         1\n"), "{people}");
        assert!(json.contains("\"cache_objects\":5,"), "{json}");
        assert!(json.contains("\"connections_total\":{\"new\":2,\"reused\":1},"), "{json}");
        assert!(json.starts_with("{\"requests_total\":{\"hit\":0,") && json.ends_with("}\n"));
        for line in [
            "# TYPE tidegate_cache_objects gauge\ntidegate_cache_objects 5\n",
            "\ntidegate_connections_total{kind=\"reused\"} 1\n",
            "\ntidegate_denials_total{rule=\"client\"} 2\n",
            "\ntidegate_hit_ratio 0.000000\n",
            "\ntidegate_passwords 3\n",
            "\ntidegate_turn_seconds_bucket{le=\"0.0001\"} 0\n",
            "\ntidegate_turn_seconds_bucket{le=\"+Inf\"} 0\ntidegate_turn_seconds_sum 0.000000\n",
        ] {
            assert!(prometheus.contains(line), "{line}{prometheus}");
        }
    }
}
