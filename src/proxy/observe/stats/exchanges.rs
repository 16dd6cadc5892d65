//! Metrics of requests, the cache and compression.

use crate::proxy::observe::counters::Counters;
use crate::proxy::observe::metric::{Metric, counter, gauge, histograms, labelled, ratio, whole};
use crate::proxy::observe::outcome::Outcome;
use crate::reactor::Histogram;

use super::gauges::Gauges;

/// Returns the metrics of requests and the share that the cache served.
pub(super) fn requests(counters: &Counters) -> Vec<Metric> {
    let by_result = |figure: fn((u64, u64)) -> u64| {
        let figures = Outcome::ALL
            .iter()
            .map(|&outcome| (outcome.name().to_ascii_lowercase(), figure(counters.of(outcome))));
        figures.collect::<Vec<_>>()
    };
    let [hits, all] = counters.hits();
    let latencies = &counters.latencies;
    let statuses = counters.statuses.iter().map(|(status, &count)| (status.to_string(), count));
    vec![
        labelled("requests_total", "Requests finished, by result.", "result", by_result(|of| of.0)),
        labelled(
            "sent_bytes_total",
            "Bytes of content sent to clients, by result.",
            "result",
            by_result(|of| of.1),
        ),
        labelled("responses_total", "Responses sent to clients, by status.", "status", statuses),
        histograms(
            "request_duration_seconds",
            "Time from the head of a request until the exchange ended, in seconds, by result.",
            "result",
            by_name(latencies.totals()),
        ),
        histograms(
            "request_first_byte_seconds",
            "Time from the head of a request until its response began, in seconds, by result.",
            "result",
            by_name(latencies.first_bytes()),
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

/// Returns histograms by the name of their outcome.
fn by_name<'a>(
    spreads: impl Iterator<Item = (Outcome, &'a Histogram)>,
) -> impl Iterator<Item = (String, &'a Histogram)> {
    spreads.map(|(outcome, spread)| (outcome.name().to_ascii_lowercase(), spread))
}

/// Returns the metrics of the cache.
pub(super) fn cache(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    let cache = gauges.cache;
    vec![
        gauge("cache_objects", "URLs with a stored response.", whole(cache.entries)),
        gauge("cache_bytes", "Memory used by the cache, in bytes.", whole(cache.bytes)),
        gauge(
            "cache_limit_bytes",
            "Memory that the cache may use, in bytes.",
            whole(gauges.limits.cache),
        ),
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
        labelled(
            "not_stored_total",
            "Responses that were not stored, by reason.",
            "reason",
            counters.not_stored.iter().map(|(&reason, &count)| (reason.to_owned(), count)),
        ),
        counter(
            "purged_total",
            "Stored responses removed or made stale by purges.",
            counters.purged,
        ),
    ]
}

/// Returns the metrics of compression.
pub(super) fn compression(counters: &Counters) -> Vec<Metric> {
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
