//! Options for limits of clients, memory and times. The file has further limits, in a table.

use crate::config::options::Options;
use crate::units::Unit;

use super::spec::{OptionSpec, one};

pub(super) const LIMITS: &[OptionSpec] = &[
    one(
        "max-clients",
        "N",
        "Most client connections at a time [default: as many as RLIMIT_NOFILE allows]",
        |o, text| limit(o, "max-clients", text),
        |o| o.limits.max_clients.iter().map(Unit::write).collect(),
    ),
    one(
        "connection-memory",
        "SIZE",
        "Memory for all connections together, not counting the cache [default: 256MiB]",
        |o, text| limit(o, "connection-memory", text),
        |o| vec![o.limits.connection_memory.write()],
    ),
    one(
        "connect-timeout",
        "TIME",
        "Longest time to connect to an origin, including the look-up of its name [default: 10s]",
        |o, text| limit(o, "connect-timeout", text),
        |o| vec![o.limits.connect_timeout.write()],
    ),
    one(
        "origin-timeout",
        "TIME",
        "Longest wait for an origin's first byte, and between bytes [default: 60s]",
        |o, text| limit(o, "origin-timeout", text),
        |o| vec![o.limits.origin_timeout.write()],
    ),
    one(
        "header-timeout",
        "TIME",
        "Longest time for a client to send a request head [default: 15s]",
        |o, text| limit(o, "header-timeout", text),
        |o| vec![o.limits.header_timeout.write()],
    ),
    one(
        "idle-timeout",
        "TIME",
        "Longest time that a client connection stays open between requests [default: 60s]",
        |o, text| limit(o, "idle-timeout", text),
        |o| vec![o.limits.idle_timeout.write()],
    ),
    one(
        "drain-timeout",
        "TIME",
        "Longest time for requests in flight to finish when the proxy stops [default: 30s]",
        |o, text| limit(o, "drain-timeout", text),
        |o| vec![o.limits.drain_timeout.write()],
    ),
];

fn limit(options: &mut Options, name: &str, text: &str) -> Result<(), String> {
    let set = options.limits.set(name, text);
    set.map_err(|expected| format!("'{text}' is not {}", expected.unwrap_or_default()))
}
