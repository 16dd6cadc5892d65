//! Options for access: the destinations, ports and clients allowed.

use crate::access::DestinationRule;

use super::spec::{OptionSpec, flag, many, one};
use super::value::{either, on_or_off, one_of, path, paths, push_range, switch, texts};

pub(super) const ACCESS: &[OptionSpec] = &[
    many(one(
        "allow-destination",
        "RULE",
        "Allow special addresses: a CIDR or address; HOST or *.DOMAIN for its private addresses; \
         HOST=CIDR for its addresses in that range [default: none]",
        |o, text| text.parse().map(|rule| o.destinations.rules.push(rule)),
        |o| o.destinations.rules.iter().map(DestinationRule::to_string).collect(),
    )),
    many(one(
        "rule",
        "RULE|@FILE",
        "Access rule: allow|deny|report [DESTINATION|@FILE] [client=…] [country=…] [user=…] [port=…] …; the \
         first rule that matches decides. @FILE is a file of rules, one a line",
        |o, text| o.rules.add(text),
        |o| o.rules.given.iter().map(|given| given.option.to_string()).collect(),
    )),
    one(
        "rule-default",
        "allow|deny",
        "Action for requests that no rule matches [default: allow]",
        |o, text| either(text, ["allow", "deny"]).map(|denies| o.rules.denies = denies),
        |o| one_of(["allow", "deny"], o.rules.denies),
    ),
    flag(
        "rule-report",
        "Let requests pass that rules deny, and log the denial only [default: off]",
        |o, text| switch(text).map(|on| o.rules.reports = on),
        |o| on_or_off(o.rules.reports),
    ),
    many(one(
        "geoip",
        "FILE",
        "Database (.mmdb, MaxMind DB format) of countries or autonomous systems, for country= and asn= \
         in rules. Read again when the file changes [default: none]",
        |o, text| path(text).map(|path| o.geoip.push(path)),
        |o| paths(&o.geoip),
    )),
    one(
        "allow-port",
        "LIST",
        "Destination ports allowed for requests [default: 80,443,1025-65535]",
        |o, text| text.parse().map(|ports| o.destinations.ports = ports),
        |o| vec![o.destinations.ports.to_string()],
    ),
    one(
        "allow-connect-port",
        "LIST",
        "Destination ports allowed for CONNECT [default: 80,443]",
        |o, text| text.parse().map(|ports| o.destinations.connect_ports = ports),
        |o| vec![o.destinations.connect_ports.to_string()],
    ),
    many(one(
        "allow-client",
        "CIDR",
        "Clients that may use the proxy, besides this machine [default: none; with --to, all]",
        |o, text| push_range(&mut o.clients, text),
        |o| texts(&o.clients),
    )),
];
