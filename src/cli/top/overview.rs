//! Content of the first pane: rates, hit ratio, latencies, limits and the disk.

use crate::proxy::Outcome;

use super::figures::{bytes, count, percent, rate, seconds, span};
use super::latency::Quantiles;
use super::metrics::Metrics;
use super::model::Model;

/// Text in place of a figure that is not known.
const NONE: &str = "-";
/// Results that the cache serves.
const SERVED: [Outcome; 3] = [Outcome::Hit, Outcome::Revalidated, Outcome::Stale];
/// Results that count for the hit ratio, as for the metric `hit_ratio`.
const COUNTED: [Outcome; 5] =
    [Outcome::Hit, Outcome::Revalidated, Outcome::Stale, Outcome::Miss, Outcome::Pass];
/// Gauges with bounds: name, gauge, bound, and true for bytes.
const BOUNDED: [(&str, &str, &str, bool); 4] = [
    ("cache", "cache_bytes", "cache_limit_bytes", true),
    ("connections", "connection_bytes", "connection_limit_bytes", true),
    ("clients", "clients", "clients_limit", false),
    ("descriptors", "process_open_fds", "process_max_fds", false),
];

/// Value beside its bound.
#[derive(Debug, PartialEq)]
pub(super) struct Bounded {
    pub(super) name: &'static str,
    /// Share of the bound, from 0 to 1.
    pub(super) share: f64,
    pub(super) text: String,
}

/// Returns a row for each result: name, rate, share of the interval, total; then the sum.
pub(super) fn results(model: &Model) -> Vec<[String; 4]> {
    let names: Vec<String> = Outcome::ALL.iter().map(|it| it.name().to_ascii_lowercase()).collect();
    let read = |metrics: &Metrics, name: &str| {
        metrics.labelled("requests_total", name).unwrap_or_default()
    };
    let sum = |metrics: &Metrics| names.iter().map(|name| read(metrics, name)).sum::<f64>();
    let all = model.growth(|reading| sum(&reading.metrics));
    let row = |name: &str, value: &dyn Fn(&Metrics) -> f64| {
        let grown = model.growth(|reading| value(&reading.metrics));
        let share = grown.zip(all).filter(|(_, all)| *all > 0.0).map(|(one, all)| one / all);
        let total = model.last.as_ref().map(|last| value(&last.metrics));
        [
            name.to_owned(),
            known(model.rate(|reading| value(&reading.metrics)), rate),
            known(share, percent),
            known(total, count),
        ]
    };
    let mut rows: Vec<[String; 4]> =
        names.iter().map(|name| row(name, &|metrics| read(metrics, name))).collect();
    rows.push(row("all", &sum));
    rows
}

/// Returns a row for each figure of what the cache saves: name, now, since the start.
pub(super) fn savings(model: &Model) -> Vec<[String; 3]> {
    let sum = |metrics: &Metrics, metric: &str, results: &[Outcome]| -> f64 {
        let names = results.iter().map(|it| it.name().to_ascii_lowercase());
        names.filter_map(|name| metrics.labelled(metric, &name)).sum()
    };
    let share = |metric: &str| {
        let part = model.growth(|it| sum(&it.metrics, metric, &SERVED));
        let whole = model.growth(|it| sum(&it.metrics, metric, &COUNTED));
        part.zip(whole).filter(|(_, whole)| *whole > 0.0).map(|(part, whole)| part / whole)
    };
    let total = |name: &str| model.last.as_ref().map(|last| last.metrics.value(name));
    let ratio = |name: &str, now: &str, since: &str| {
        [name.to_owned(), known(share(now), percent), known(total(since), percent)]
    };
    let flow = |name: &str, metric: &str| {
        let now = model.rate(|reading| reading.metrics.value(metric));
        [name.to_owned(), known(now, |it| format!("{}/s", bytes(it))), known(total(metric), bytes)]
    };
    vec![
        ratio("hit ratio", "requests_total", "hit_ratio"),
        ratio("by bytes", "sent_bytes_total", "hit_ratio_bytes"),
        flow("saved", "saved_bytes_total"),
        flow("to clients", "client_sent_bytes_total"),
        flow("from origins", "origin_received_bytes_total"),
    ]
}

/// Returns the quantiles of the interval: name, p50, p90, p99.
pub(super) fn latencies(model: &Model) -> Vec<[String; 4]> {
    let named = [("requests", "request_duration_seconds"), ("loop lag", "lag_seconds")];
    let row = |(name, metric): (&str, &str)| {
        let readings = model.earlier.as_ref().zip(model.last.as_ref());
        let found = readings.and_then(|(earlier, last)| {
            Quantiles::between(&earlier.metrics, &last.metrics, metric)
        });
        let text = |of: fn(&Quantiles) -> f64| known(found.as_ref().map(of), seconds);
        [name.to_owned(), text(|it| it.p50), text(|it| it.p90), text(|it| it.p99)]
    };
    named.into_iter().map(row).collect()
}

/// Returns the values that have bounds.
pub(super) fn bounded(model: &Model) -> Vec<Bounded> {
    let Some(last) = &model.last else { return Vec::new() };
    let row = |(name, gauge, bound, is_bytes)| {
        let [value, bound] = [gauge, bound].map(|metric| last.metrics.value(metric));
        let share = if bound > 0.0 { (value / bound).clamp(0.0, 1.0) } else { 0.0 };
        let write = if is_bytes { bytes } else { count };
        Bounded { name, share, text: format!("{} of {}", write(value), write(bound)) }
    };
    BOUNDED.into_iter().map(row).collect()
}

/// Returns the lines about the process and its disk.
pub(super) fn remarks(model: &Model) -> Vec<String> {
    let Some(last) = &model.last else { return Vec::new() };
    let metrics = &last.metrics;
    let value = |name: &str| metrics.value(name);
    let resident = bytes(value("process_resident_memory_bytes"));
    let (in_flight, tunnels) = (count(value("fetches_in_flight")), count(value("tunnels")));
    let lost = match value("log_dropped_total") {
        lost if lost > 0.0 => format!("; {} lines of the access log lost", count(lost)),
        _ => String::new(),
    };
    vec![
        format!(
            "memory present {resident}; {in_flight} fetches in flight, {tunnels} tunnels{lost}"
        ),
        disk(metrics),
    ]
}

/// Returns the line about the disk of the access log.
fn disk(metrics: &Metrics) -> String {
    let Some(free) = metrics.labelled("disk_free_bytes", "log") else {
        return "log disk: not watched".to_owned();
    };
    let inodes = metrics.labelled("disk_free_inodes", "log");
    let inodes = inodes.map(|free| format!(", {} inodes", count(free))).unwrap_or_default();
    let outlook = match metrics.labelled("disk_full_seconds", "log") {
        None => "no sign that it fills".to_owned(),
        Some(time) if time > 0.0 => format!("full in {}", span(time)),
        Some(_) => "FULL".to_owned(),
    };
    format!("log disk: {}{inodes} free; {outlook}", bytes(free))
}

/// Returns true if the disk of the access log is full within a day.
pub(super) fn is_disk_short(model: &Model) -> bool {
    let metrics = model.last.as_ref().map(|last| &last.metrics);
    let time = metrics.and_then(|metrics| metrics.labelled("disk_full_seconds", "log"));
    time.is_some_and(|time| time < 86_400.0)
}

fn known(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), write)
}
