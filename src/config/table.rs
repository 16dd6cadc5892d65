//! Table of options. Each row is an option of the command line and a key of the file.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::access::DestinationRule;
use crate::cache::{FreshnessRule, Parameters};
use crate::http::hop;
use crate::proxy::ReverseOrigin;
use crate::units::Unit;

use super::name_server::name_server;
use super::options::{ControlTarget, LogTarget, Options};
use super::schemes::Schemes;

/// Option of the command line and the file.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Name: `--name` on the command line, `name` in the file.
    pub name: &'static str,
    /// Letter of the short form.
    pub short: Option<char>,
    /// Placeholder of the value in help and messages.
    pub value: &'static str,
    /// True if the option may be given several times; each value is added to the others.
    pub many: bool,
    /// True if the option may be given without a value, which means `on`.
    pub flag: bool,
    /// Help text.
    pub help: &'static str,
    /// Parses and stores one value.
    pub set: fn(&mut Options, &str) -> Result<(), String>,
    /// Returns the values as they could be given; empty if there is no default.
    pub get: fn(&Options) -> Vec<String>,
}

impl OptionSpec {
    /// Returns the option called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name)
    }
}

const fn one(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut Options, &str) -> Result<(), String>,
    get: fn(&Options) -> Vec<String>,
) -> OptionSpec {
    OptionSpec { name, short: None, value, many: false, flag: false, help, set, get }
}

/// Returns the row of an option that may be given without a value, which means `on`.
const fn flag(
    name: &'static str,
    help: &'static str,
    set: fn(&mut Options, &str) -> Result<(), String>,
    get: fn(&Options) -> Vec<String>,
) -> OptionSpec {
    OptionSpec { flag: true, ..one(name, "on|off", help, set, get) }
}

const fn many(spec: OptionSpec) -> OptionSpec {
    OptionSpec { many: true, ..spec }
}

/// All options, in the order of `--help`.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some('l'),
        ..many(one(
            "listen",
            "ADDR:PORT",
            "Address to listen on; [::] means all addresses, also those of IPv4; port 0 means any free \
             port [default: 127.0.0.1:3128]",
            |o, text| push(&mut o.listen, text, "ADDR:PORT, such as 127.0.0.1:3128 or [::1]:3128"),
            |o| texts(&o.listeners()),
        ))
    },
    one(
        "to",
        "URL",
        "Run as a reverse proxy: every listener serves this origin [default: forward proxy]",
        |o, text| ReverseOrigin::parse(text).map(|origin| o.to = Some((text.to_owned(), origin))),
        |o| o.to.iter().map(|(text, _)| text.clone()).collect(),
    ),
    one(
        "cache-memory",
        "SIZE|off",
        "Memory for the cache, including its bookkeeping; off stores nothing [default: 256MiB]",
        |o, text| unit(text).map(|size| o.cache_memory = size),
        |o| vec![o.cache_memory.write()],
    ),
    one(
        "cache-object-max",
        "SIZE",
        "Size of the largest object to store [default: an eighth of the cache]",
        |o, text| unit(text).map(|size| o.cache_object_max = Some(size)),
        |o| o.cache_object_max.iter().map(Unit::write).collect(),
    ),
    one(
        "eviction",
        "lru|gdsf",
        "Order of eviction when memory is short: lru, least recently used first; gdsf, by frequency \
         of use and size [default: gdsf]",
        |o, text| text.parse().map(|eviction| o.eviction = eviction),
        |o| vec![o.eviction.to_string()],
    ),
    many(one(
        "freshness",
        "RULE",
        "Rule for how long responses are fresh: [HOST][/PATH] [status=CODES] [min=TIME] [max=TIME] \
         [default=TIME]; the first rule that matches applies, and none permits what the origin \
         forbids",
        |o, text| text.parse().map(|rule| o.freshness_rules.push(rule)),
        |o| o.freshness_rules.iter().map(FreshnessRule::to_string).collect(),
    )),
    one(
        "key-drop-query",
        "NAMES",
        "Query parameters to ignore in the cache key, such as utm_*,fbclid; 'tracking' stands for \
         those of well-known trackers [default: none]",
        |o, text| text.parse().map(|names| o.key_rules.drop = Some(names)),
        |o| o.key_rules.drop.iter().map(Parameters::to_string).collect(),
    ),
    one(
        "key-keep-query",
        "NAMES",
        "Query parameters to keep in the cache key; all others are ignored [default: all]",
        |o, text| text.parse().map(|names| o.key_rules.keep = Some(names)),
        |o| o.key_rules.keep.iter().map(Parameters::to_string).collect(),
    ),
    flag(
        "key-sort-query",
        "Ignore the order of query parameters in the cache key [default: off]",
        |o, text| switch(text).map(|on| o.key_rules.sort = on),
        |o| on_or_off(o.key_rules.sort),
    ),
    one(
        "vary-language",
        "equal|preferred",
        "Requests that match a stored response with Vary: Accept-Language: equal, those whose \
         lists mean the same; preferred, also those that prefer its Content-Language to all \
         others [default: equal]",
        |o, text| either(text, ["equal", "preferred"]).map(|by| o.request_rules.by_language = by),
        |o| one_of(["equal", "preferred"], o.request_rules.by_language),
    ),
    one(
        "vary-encoding",
        "equal|folded",
        "Requests that match a stored response with Vary: Accept-Encoding: equal, those whose \
         lists mean the same; folded, also those that accept fewer codings, its own among them \
         [default: folded]",
        |o, text| either(text, ["equal", "folded"]).map(|by| o.request_rules.by_coding = by),
        |o| one_of(["equal", "folded"], o.request_rules.by_coding),
    ),
    flag(
        "cache-set-cookie",
        "Store responses with Set-Cookie if they have max-age or Expires, not only if they have \
         public, s-maxage or a targeted field [default: off]",
        |o, text| switch(text).map(|on| o.store_cookies = on),
        |o| on_or_off(o.store_cookies),
    ),
    flag(
        "ignore-client-no-cache",
        "Serve fresh responses also to requests with no-cache, max-age or min-fresh (only with \
         --to) [default: off]",
        |o, text| switch(text).map(|on| o.request_rules.ignore_no_cache = on),
        |o| on_or_off(o.request_rules.ignore_no_cache),
    ),
    flag(
        "targeted-cache-control",
        "Obey CDN-Cache-Control and Tidegate-Cache-Control [default: on with --to, else off]",
        |o, text| switch(text).map(|on| o.targeted = Some(on)),
        |o| o.targeted.into_iter().flat_map(on_or_off).collect(),
    ),
    flag(
        "cache-status-key",
        "Show the cache key of each response in Cache-Status [default: off]",
        |o, text| switch(text).map(|on| o.status_key = on),
        |o| on_or_off(o.status_key),
    ),
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
        "Access rule: allow|deny|report [DESTINATION|@FILE] [client=…] [user=…] [port=…] …; the \
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
        |o, text| push(&mut o.clients, text, "a CIDR or address"),
        |o| texts(&o.clients),
    )),
    many(one(
        "users",
        "FILE",
        "Serve only the users in this file, made with 'htpasswd' or 'htdigest'; it is read again on \
         reload [default: no authentication]",
        |o, text| push(&mut o.auth.files, text, "a file"),
        |o| texts(&o.auth.files),
    )),
    one(
        "auth",
        "SCHEMES",
        "Authentication schemes to offer: basic, digest or basic,digest [default: those that the \
         user files support]",
        |o, text| text.parse().map(|schemes| o.auth.schemes = Some(schemes)),
        |o| o.auth.schemes.iter().map(Schemes::to_string).collect(),
    ),
    one(
        "realm",
        "TEXT",
        "Realm that browsers show when they ask for the password; 'htdigest' writes it into its \
         lines [default: tidegate]",
        |o, text| text.parse().map(|realm| o.auth.realm = realm),
        |o| vec![o.auth.realm.to_string()],
    ),
    many(one(
        "protect",
        "RULE",
        "Serve a path only to its own users (only with --to): PATH [realm=TEXT] [users=FILE] \
         [auth=SCHEMES]; the longest path that matches applies, and --realm, --users and --auth \
         apply to what the rule leaves out",
        |o, text| text.parse().map(|rule| o.auth.protect.push(rule)),
        |o| texts(&o.auth.protect),
    )),
    flag(
        "userhash",
        "Let Digest clients hash user names (RFC 7616 §3.4.4) [default: off]",
        |o, text| switch(text).map(|on| o.auth.userhash = on),
        |o| on_or_off(o.auth.userhash),
    ),
    one(
        "nonce-lifetime",
        "TIME",
        "Time for which the nonce of a Digest challenge is valid [default: 5m]",
        |o, text| {
            let lifetime: Duration = unit(text)?;
            if lifetime.is_zero() {
                return Err("the nonce would expire at once; give more than 0s".into());
            }
            o.auth.nonce_lifetime = lifetime;
            Ok(())
        },
        |o| vec![o.auth.nonce_lifetime.write()],
    ),
    one(
        "auth-ban",
        "N/TIME|off",
        "Refuse a client for TIME after N failed authentications within TIME [default: 20/1m]",
        |o, text| text.parse().map(|ban| o.auth.ban = ban),
        |o| vec![o.auth.ban.to_string()],
    ),
    many(one(
        "allow-purge",
        "CIDR",
        "Clients that may remove a URL from the cache with the method PURGE [default: none]",
        |o, text| push(&mut o.purgers, text, "a CIDR or address"),
        |o| texts(&o.purgers),
    )),
    many(one(
        "trusted-proxy",
        "CIDR",
        "Proxies in front whose X-Forwarded-* and Forwarded fields are trusted and extended (only \
         with --to) [default: none]",
        |o, text| push(&mut o.trusted_proxies, text, "a CIDR or address"),
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
    one(
        "access-log",
        "-|FILE|off",
        "File for the access log, one line a request; - is standard output [default: -]",
        |o, text| {
            o.access_log = match text {
                "" => return Err("expected -, a file or off".into()),
                "-" => LogTarget::Stdout,
                "off" => LogTarget::Off,
                path => LogTarget::File(path.to_owned()),
            };
            Ok(())
        },
        |o| vec![o.access_log.to_string()],
    ),
    one(
        "log-format",
        "FORMAT",
        "Format of the access log: human, combined, squid or json [default: human]",
        |o, text| text.parse().map(|format| o.log_format = format),
        |o| vec![o.log_format.to_string()],
    ),
    one(
        "via",
        "NAME",
        "Name of this proxy in Via, which detects loops [default: a random name]",
        |o, text| match hop::is_pseudonym(text) {
            true => {
                o.via = Some(text.to_owned());
                Ok(())
            }
            false => Err(format!("'{text}' is not a name of letters, digits, '-', '.' and '_'")),
        },
        |o| o.via.iter().cloned().collect(),
    ),
    one(
        "control",
        "PATH|off",
        "Unix socket for 'tidegate purge', 'stats' and 'reload', usable by the same user only \
         [default: tidegate-PORT.sock in $XDG_RUNTIME_DIR, /run/tidegate or /tmp/tidegate-UID]",
        |o, text| {
            o.control = match text {
                "" => return Err("expected a path or off".into()),
                "off" => ControlTarget::Off,
                path => ControlTarget::At(path.into()),
            };
            Ok(())
        },
        |o| match &o.control {
            ControlTarget::Default => Vec::new(),
            ControlTarget::At(path) => vec![path.display().to_string()],
            ControlTarget::Off => vec!["off".into()],
        },
    ),
    one(
        "admin",
        "ADDR:PORT",
        "Address that serves metrics for Prometheus at /metrics, without authentication [default: \
         off]",
        |o, text| {
            let address = text.parse().map_err(|_| format!("'{text}' is not ADDR:PORT"))?;
            o.admin = Some(address);
            Ok(())
        },
        |o| o.admin.iter().map(SocketAddr::to_string).collect(),
    ),
    one(
        "user",
        "NAME",
        "User to run as after a start by root, once all files and sockets are open [default: \
         unchanged]",
        |o, text| named(&mut o.user, text, "a user's name or number"),
        |o| o.user.iter().cloned().collect(),
    ),
    one(
        "group",
        "NAME",
        "Group to run with, and no other (only with --user) [default: the groups of that user]",
        |o, text| named(&mut o.group, text, "a group's name or number"),
        |o| o.group.iter().cloned().collect(),
    ),
    flag(
        "confine",
        "Drop access to all other files, and the right to listen, once everything is open, as far \
         as the kernel supports it (Landlock) [default: off]",
        |o, text| switch(text).map(|on| o.confine = on),
        |o| on_or_off(o.confine),
    ),
    flag(
        "allow-core-dumps",
        "Allow core dumps of the process, whose memory holds secrets, and debuggers [default: off]",
        |o, text| switch(text).map(|on| o.core_dumps = on),
        |o| on_or_off(o.core_dumps),
    ),
    one(
        "resolver",
        "loop|system",
        "Resolver of host names: loop, the proxy itself; system, getaddrinfo(3) on threads \
         [default: loop]",
        |o, text| text.parse().map(|resolver| o.resolver = resolver),
        |o| vec![o.resolver.to_string()],
    ),
    many(one(
        "dns-server",
        "ADDR[:PORT]",
        "Name server to query instead of those in /etc/resolv.conf",
        |o, text| name_server(text).map(|server| o.dns_servers.push(server)),
        |o| texts(&o.dns_servers),
    )),
    one(
        "dns-0x20",
        "on|off",
        "Spell names in DNS queries in random case, so that answers are harder to forge [default: \
         on]",
        |o, text| switch(text).map(|on| o.dns_0x20 = on),
        |o| on_or_off(o.dns_0x20),
    ),
    one(
        "hosts",
        "FILE",
        "File of host names and their addresses, read again when it changes [default: /etc/hosts]",
        |o, text| match text {
            "" => Err("expected a file".into()),
            path => {
                o.hosts = Some(path.into());
                Ok(())
            }
        },
        |o| o.hosts.iter().map(|path| path.display().to_string()).collect(),
    ),
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

fn push<T: FromStr>(list: &mut Vec<T>, text: &str, expected: &str) -> Result<(), String> {
    list.push(text.parse().map_err(|_| format!("'{text}' is not {expected}"))?);
    Ok(())
}

fn named(name: &mut Option<String>, text: &str, expected: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("expected {expected}"));
    }
    *name = Some(text.to_owned());
    Ok(())
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn unit<T: Unit>(text: &str) -> Result<T, String> {
    T::read(text).ok_or_else(|| format!("'{text}' is not {}", T::EXPECTED))
}

fn limit(options: &mut Options, name: &str, text: &str) -> Result<(), String> {
    let set = options.limits.set(name, text);
    set.map_err(|expected| format!("'{text}' is not {}", expected.unwrap_or_default()))
}

/// Parses one of two words; the second one means true.
fn either(text: &str, words: [&str; 2]) -> Result<bool, String> {
    let wrong = || format!("'{text}' is neither {} nor {}", words[0], words[1]);
    words.iter().position(|word| *word == text).map(|at| at == 1).ok_or_else(wrong)
}

/// Returns the word for `second`, as [`either`] parses it.
fn one_of(words: [&str; 2], second: bool) -> Vec<String> {
    vec![words[usize::from(second)].to_owned()]
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("'{text}' is neither on nor off")),
    }
}

fn on_or_off(on: bool) -> Vec<String> {
    one_of(["off", "on"], on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printed_value_can_be_set() {
        let mut options = Options::default();
        for (name, text) in [
            ("listen", "[::1]:0"),
            ("to", "http://h.test/base"),
            ("cache-object-max", "1MiB"),
            ("targeted-cache-control", "off"),
            ("vary-language", "preferred"),
            ("vary-encoding", "equal"),
            ("key-drop-query", "tracking,x*"),
            ("key-keep-query", "q"),
            ("freshness", "h.test/x status=404 default=10s"),
            ("allow-destination", "h.test=10.0.0.0/8"),
            ("rule", "deny *.test client=192.0.2.0/24"),
            ("rule", "@/etc/tidegate/rules"),
            ("rule-default", "deny"),
            ("rule-report", "on"),
            ("allow-client", "192.0.2.0/24"),
            ("users", "/etc/tidegate/users"),
            ("auth", "basic"),
            ("realm", "an office"),
            ("protect", "/admin realm=\"the staff\" users=/etc/tidegate/staff auth=digest"),
            ("userhash", "on"),
            ("auth-ban", "off"),
            ("allow-purge", "127.0.0.1"),
            ("trusted-proxy", "::1"),
            ("allow-upgrade", "SPDY/3.1"),
            ("via", "edge-1"),
            ("control", "/run/t.sock"),
            ("admin", "127.0.0.1:9100"),
            ("user", "www-data"),
            ("group", "33"),
            ("confine", "on"),
            ("dns-server", "[::1]:5353"),
            ("hosts", "/etc/hosts"),
            ("max-clients", "100"),
        ] {
            (OptionSpec::find(name).unwrap().set)(&mut options, text).unwrap();
        }
        for option in OPTIONS {
            let values = (option.get)(&options);
            assert!(!values.is_empty(), "{}", option.name);
            let mut other = Options::default();
            values.iter().for_each(|value| (option.set)(&mut other, value).unwrap());
            assert_eq!((option.get)(&other), values, "{}", option.name);
        }
    }
}
