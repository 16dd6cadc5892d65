//! Metrics of requests to origins and the connections for them.

use crate::proxy::observe::counters::Counters;
use crate::proxy::observe::metric::{
    Metric, counter, gauge, gauges_of, histogram, labelled, whole,
};

use super::gauges::Gauges;

/// Returns the metrics of fetches and connections to origins.
pub(super) fn origins(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
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
        histogram(
            "origin_queue_seconds",
            "Time until a request had a place at a member of a group of origins, in seconds.",
            &counters.latencies.queue,
        ),
        histogram(
            "origin_lookup_seconds",
            "Time until an address of the origin was known, in seconds.",
            &counters.latencies.lookup,
        ),
        histogram(
            "origin_connect_seconds",
            "Time until a connection to the origin was established, in seconds.",
            &counters.latencies.connect,
        ),
        histogram(
            "origin_first_byte_seconds",
            "Time from a request to the origin until the head of its response, in seconds.",
            &counters.latencies.origin_first_byte,
        ),
        counter(
            "origin_received_bytes_total",
            "Bytes received from origins, inside TLS.",
            counters.of_origins.received,
        ),
        counter(
            "origin_sent_bytes_total",
            "Bytes sent to origins, inside TLS.",
            counters.of_origins.sent,
        ),
        counter(
            "origin_strays_total",
            "Connections on which an origin sent bytes outside any response.",
            gauges.strays,
        ),
        gauge("fetches_in_flight", "Fetches from origins in flight.", whole(gauges.fetching)),
        gauge(
            "pool_limit",
            "Idle connections to origins that may be kept.",
            whole(gauges.limits.pooled),
        ),
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
