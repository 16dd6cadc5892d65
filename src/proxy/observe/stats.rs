//! Metrics of a running proxy, as text for people, as JSON, and for Prometheus (text format 0.0.4).

use std::fmt::{self, Display, Write};

use crate::cache::CacheStats;
use crate::reactor::LoopStats;

use super::counters::{BanCounters, Counters};
use super::metric::{
    Metric, Sample, counter, gauge, gauges_of, histogram, labelled, longest, ratio, whole,
};
use super::outcome::Outcome;

/// The metrics at one moment.
#[derive(Clone, Debug)]
pub struct Stats(Vec<Metric>);

/// A member of a group of origins, as metrics show it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginGauge {
    /// Group and URL.
    pub(crate) name: String,
    /// True if the member can be used.
    pub(crate) is_up: bool,
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
}

/// Current values that are not counted but read.
#[derive(Clone, Debug)]
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
    /// Days until each certificate of this server expires, by its first name.
    pub(crate) certificates: Vec<(String, u64)>,
    /// Members of groups of origins.
    pub(crate) origins: Vec<OriginGauge>,
    /// Bans of clients in force.
    pub(crate) bans: usize,
}

impl Stats {
    pub(crate) fn of(counters: &Counters, gauges: &Gauges, load: &LoopStats) -> Self {
        let groups = [
            requests(counters),
            cache(counters, gauges),
            compression(counters),
            origins(counters, gauges),
            clients(counters, gauges),
            tls(counters, gauges),
            authentication(counters, gauges),
            bans(counters, gauges),
            failures(counters),
            internals(gauges, load),
        ];
        Self(groups.into_iter().flatten().collect())
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

/// Returns the metrics of requests and the share that the cache served.
fn requests(counters: &Counters) -> Vec<Metric> {
    let by_result = |figure: fn((u64, u64)) -> u64| {
        let figures = Outcome::ALL
            .iter()
            .map(|&outcome| (outcome.name().to_ascii_lowercase(), figure(counters.of(outcome))));
        figures.collect::<Vec<_>>()
    };
    let [hits, all] = counters.hits();
    vec![
        labelled("requests_total", "Requests finished, by result.", "result", by_result(|of| of.0)),
        labelled(
            "sent_bytes_total",
            "Bytes of content sent to clients, by result.",
            "result",
            by_result(|of| of.1),
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
    ]
}

/// Returns the metrics of the cache.
fn cache(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    let cache = gauges.cache;
    vec![
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
    ]
}

/// Returns the metrics of compression.
fn compression(counters: &Counters) -> Vec<Metric> {
    let figures = counters.compression;
    vec![
        labelled(
            "compressed_responses_total",
            "Responses that this proxy has sent compressed, by coding.",
            "coding",
            figures.by_coding(),
        ),
        counter(
            "compressed_hits_total",
            "Compressed responses whose content was compressed for an earlier request.",
            figures.hits,
        ),
        counter("compression_input_bytes_total", "Bytes of content compressed.", figures.input),
        counter(
            "compression_output_bytes_total",
            "Bytes that the compressed content has become.",
            figures.output,
        ),
        counter(
            "compression_jobs_total",
            "Pieces of content that were compressed on a thread.",
            figures.jobs,
        ),
        counter(
            "compression_refused_total",
            "Responses sent without compression for want of memory.",
            figures.refused,
        ),
    ]
}

/// Returns the metrics of fetches and connections to origins.
fn origins(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    let connections = [("new", counters.dialled), ("reused", counters.reused)];
    let connections = connections.map(|(kind, count)| (kind.to_owned(), count));
    vec![
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
        counter(
            "origin_retries_total",
            "Requests that were sent to another member of a group of origins after a failure.",
            counters.retries,
        ),
        gauges_of(
            "origin_up",
            "1 if a member of a group of origins can be used, else 0, by group and URL.",
            "origin",
            gauges.of_origins(|origin| u64::from(origin.is_up)),
        ),
        gauges_of(
            "origin_requests_in_flight",
            "Requests in flight at a member of a group of origins, by group and URL.",
            "origin",
            gauges.of_origins(|origin| origin.in_flight),
        ),
        labelled(
            "origin_requests_total",
            "Requests sent to a member of a group of origins, by group and URL.",
            "origin",
            gauges.of_origins(|origin| origin.requests),
        ),
        labelled(
            "origin_failures_total",
            "Requests that a member of a group of origins has failed, by group and URL.",
            "origin",
            gauges.of_origins(|origin| origin.failures),
        ),
    ]
}

impl Gauges {
    /// Returns the name and a value of each member of a group of origins.
    fn of_origins(
        &self,
        value: impl Fn(&OriginGauge) -> u64,
    ) -> impl Iterator<Item = (String, u64)> {
        self.origins.iter().map(move |origin| (origin.name.clone(), value(origin)))
    }
}

/// Returns the metrics of client connections.
fn clients(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    vec![
        gauge("clients", "Open client connections, tunnels not included.", whole(gauges.clients)),
        gauge("tunnels", "Open tunnels.", whole(gauges.tunnels)),
        counter(
            "clients_refused_total",
            "Connections refused because their client had its share of the places.",
            gauges.refused,
        ),
        gauge("connection_bytes", "Memory held for connections, in bytes.", whole(gauges.memory)),
        counter(
            "connections_relieved_total",
            "Connections closed to free their memory.",
            counters.relieved,
        ),
    ]
}

/// Returns the metrics of TLS.
fn tls(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    let (clients, origins) = (&counters.handshakes, &counters.origin_handshakes);
    vec![
        labelled(
            "tls_handshakes_total",
            "TLS handshakes of clients that completed, by version and resumption.",
            "version",
            clients.completed(),
        ),
        labelled(
            "tls_handshake_failures_total",
            "TLS handshakes of clients that failed, by cause.",
            "cause",
            clients.failed(),
        ),
        histogram(
            "tls_handshake_seconds",
            "Time from accepting a client until its TLS handshake completed, in seconds.",
            &clients.durations,
        ),
        labelled(
            "origin_tls_handshakes_total",
            "TLS handshakes with origins that completed, by version and resumption.",
            "version",
            origins.completed(),
        ),
        labelled(
            "origin_tls_handshake_failures_total",
            "TLS handshakes with origins that failed, by cause.",
            "cause",
            origins.failed(),
        ),
        histogram(
            "origin_tls_handshake_seconds",
            "Time from connecting to an origin until the TLS handshake completed, in seconds.",
            &origins.durations,
        ),
        counter(
            "certificates_issued_total",
            "Certificates obtained from a certificate authority.",
            counters.certificates_issued,
        ),
        counter(
            "certificate_failures_total",
            "Attempts to obtain a certificate that failed.",
            counters.certificate_failures,
        ),
        gauge(
            "certificates_failing",
            "Certificates that could not be obtained or renewed in the last attempt.",
            whole(counters.certificates_failing),
        ),
        gauges_of(
            "certificate_days_left",
            "Days until a certificate of this server expires, by its first name.",
            "name",
            gauges.certificates.iter().cloned(),
        ),
    ]
}

/// Returns the metrics of authentication.
fn authentication(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    vec![
        counter("auth_failures_total", "Requests with wrong credentials.", counters.failures),
        counter(
            "auth_bans_total",
            "Clients banned after repeated authentication failures.",
            counters.bans,
        ),
        gauge("passwords", "Passwords being verified.", whole(gauges.passwords)),
    ]
}

/// Returns the metrics of bans.
fn bans(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    let BanCounters { begun, requests, connections } = counters.client_bans;
    vec![
        gauge("bans_active", "Bans of clients in force.", whole(gauges.bans)),
        labelled(
            "bans_total",
            "Bans of clients that have begun, by action.",
            "action",
            BanCounters::by_action(begun),
        ),
        labelled(
            "banned_requests_total",
            "Requests of banned clients, by action.",
            "action",
            BanCounters::by_action(requests),
        ),
        counter(
            "banned_connections_total",
            "Connections of banned clients that were closed when they were accepted.",
            connections,
        ),
    ]
}

/// Returns the metrics of requests that rules denied or timeouts ended.
fn failures(counters: &Counters) -> Vec<Metric> {
    vec![
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
    ]
}

/// Returns the metrics of the access log and the event loop.
fn internals(gauges: &Gauges, load: &LoopStats) -> Vec<Metric> {
    vec![
        counter(
            "log_dropped_total",
            "Access log lines lost before they were written.",
            gauges.lost_log_lines,
        ),
        histogram("turn_seconds", "Duration of turns of the event loop, in seconds.", &load.turns),
        gauge(
            "turn_longest_seconds",
            "Longest turn of the event loop since the start, in seconds.",
            longest(&load.turns),
        ),
        histogram(
            "lag_seconds",
            "Delay from a deadline until the event loop handles it, in seconds.",
            &load.lag,
        ),
        gauge(
            "lag_longest_seconds",
            "Longest delay of a deadline since the start, in seconds.",
            longest(&load.lag),
        ),
    ]
}

fn push(out: &mut String, text: impl Display) {
    let _ = write!(out, "{text}"); // writing to a String does not fail
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
            certificates: vec![("h.test".into(), 41)],
            origins: vec![OriginGauge {
                name: "app http://h.test:80".into(),
                is_up: true,
                in_flight: 1,
                requests: 2,
                failures: 3,
            }],
            bans: 0,
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
            "\ntidegate_certificate_days_left{name=\"h.test\"} 41\n",
            "\ntidegate_turn_seconds_bucket{le=\"0.0001\"} 0\n",
            "\ntidegate_turn_seconds_bucket{le=\"+Inf\"} 0\ntidegate_turn_seconds_sum 0.000000\n",
        ] {
            assert!(prometheus.contains(line), "{line}{prometheus}");
        }
    }
}
