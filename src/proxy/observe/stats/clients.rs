//! Metrics of clients: connections, TLS, authentication, bans, denials and timeouts.

use crate::proxy::observe::counters::{BanCounters, Counters};
use crate::proxy::observe::metric::{
    Metric, counter, gauge, gauges_of, histogram, labelled, whole,
};

use super::gauges::Gauges;

/// Returns the metrics of client connections.
pub(super) fn clients(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
    vec![
        gauge("clients", "Open client connections, tunnels not included.", whole(gauges.clients)),
        gauge(
            "clients_limit",
            "Client connections and tunnels that may be open.",
            whole(gauges.limits.clients),
        ),
        counter(
            "clients_full_total",
            "Times at which all places for client connections were taken.",
            gauges.filled,
        ),
        counter(
            "client_received_bytes_total",
            "Bytes received from clients, inside TLS.",
            counters.of_clients.received,
        ),
        counter(
            "client_sent_bytes_total",
            "Bytes sent to clients, inside TLS.",
            counters.of_clients.sent,
        ),
        gauge("tunnels", "Open tunnels.", whole(gauges.tunnels)),
        counter(
            "clients_refused_total",
            "Connections refused because their client had its share of the places.",
            gauges.refused,
        ),
        gauge("connection_bytes", "Memory held for connections, in bytes.", whole(gauges.memory)),
        gauge(
            "connection_limit_bytes",
            "Memory that may be held for connections, in bytes.",
            whole(gauges.limits.memory),
        ),
        counter(
            "connections_relieved_total",
            "Connections closed to free their memory.",
            counters.relieved,
        ),
    ]
}

/// Returns the metrics of TLS.
pub(super) fn tls(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
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
pub(super) fn authentication(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
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
pub(super) fn bans(counters: &Counters, gauges: &Gauges) -> Vec<Metric> {
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
pub(super) fn failures(counters: &Counters) -> Vec<Metric> {
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
