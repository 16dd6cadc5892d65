//! Options that permit purges, forwarding fields and upgrades.

use super::spec::{OptionSpec, many, one};
use super::value::{push_range, texts};

pub(super) const PERMISSIONS: &[OptionSpec] = &[
    many(one(
        "allow-purge",
        "CIDR",
        "Clients that may remove a URL from the cache with the method PURGE [default: none]",
        |o, text| push_range(&mut o.purgers, text),
        |o| texts(&o.purgers),
    )),
    many(one(
        "trusted-proxy",
        "CIDR",
        "Proxies in front whose X-Forwarded-* and Forwarded fields are trusted and extended (only \
         with --to) [default: none]",
        |o, text| push_range(&mut o.trusted_proxies, text),
        |o| texts(&o.trusted_proxies),
    )),
    many(one(
        "allow-upgrade",
        "PROTOCOL",
        "Protocols that clients may upgrade to besides WebSocket, such as tcp or SPDY/3.1 \
         [default: none]",
        |o, text| text.parse().map(|protocol| o.upgrades.push(protocol)),
        |o| texts(&o.upgrades),
    )),
];
