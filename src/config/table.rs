//! The table of options. Each row is an option of the command line and a key of the file.

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

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name: `--name` on the command line, `name` in the file.
    pub name: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called.
    pub value: &'static str,
    /// Whether it may be given several times, each adding to the others.
    pub many: bool,
    /// Whether it may stand without a value, which then is `on`.
    pub flag: bool,
    /// What it does.
    pub help: &'static str,
    /// Takes one value.
    pub set: fn(&mut Options, &str) -> Result<(), String>,
    /// Its values, as they could be given; none if there is none by default.
    pub get: fn(&Options) -> Vec<String>,
}

impl OptionSpec {
    /// The option called `name`.
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

/// An option that may stand without a value, which then is `on`.
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

/// All options, in the order in which help shows them.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some('l'),
        ..many(one(
            "listen",
            "ADDR:PORT",
            "Listen here; [::] is all addresses, also those of IPv4; port 0 picks one [default: \
             127.0.0.1:3128]",
            |o, text| push(&mut o.listen, text, "ADDR:PORT, such as 127.0.0.1:3128 or [::1]:3128"),
            |o| texts(&o.listeners()),
        ))
    },
    one(
        "to",
        "URL",
        "Be a reverse proxy: every listener serves this origin",
        |o, text| ReverseOrigin::parse(text).map(|origin| o.to = Some((text.to_owned(), origin))),
        |o| o.to.iter().map(|(text, _)| text.clone()).collect(),
    ),
    one(
        "cache-memory",
        "SIZE|off",
        "Memory for the cache, all it holds [default: 256MiB]",
        |o, text| unit(text).map(|size| o.cache_memory = size),
        |o| vec![o.cache_memory.write()],
    ),
    one(
        "cache-object-max",
        "SIZE",
        "Largest object stored [default: an eighth of the cache]",
        |o, text| unit(text).map(|size| o.cache_object_max = Some(size)),
        |o| o.cache_object_max.iter().map(Unit::write).collect(),
    ),
    one(
        "eviction",
        "ORDER",
        "What goes first when memory is short: lru, or gdsf, by use and size [default: gdsf]",
        |o, text| text.parse().map(|eviction| o.eviction = eviction),
        |o| vec![o.eviction.to_string()],
    ),
    many(one(
        "freshness",
        "RULE",
        "How long responses are fresh: [HOST][/PATH] [status=CODES] [min=TIME] [max=TIME] \
         [default=TIME]; the first that fits counts, and what an origin forbids stays forbidden",
        |o, text| text.parse().map(|rule| o.freshness_rules.push(rule)),
        |o| o.freshness_rules.iter().map(FreshnessRule::to_string).collect(),
    )),
    one(
        "key-drop-query",
        "NAMES",
        "Query parameters that make no other resource, such as utm_*,fbclid; 'tracking' for those \
         of well-known trackers",
        |o, text| text.parse().map(|names| o.key_rules.drop = Some(names)),
        |o| o.key_rules.drop.iter().map(Parameters::to_string).collect(),
    ),
    one(
        "key-keep-query",
        "NAMES",
        "The only query parameters that do",
        |o, text| text.parse().map(|names| o.key_rules.keep = Some(names)),
        |o| o.key_rules.keep.iter().map(Parameters::to_string).collect(),
    ),
    flag(
        "key-sort-query",
        "Take queries for the same that differ in the order of their parameters",
        |o, text| switch(text).map(|on| o.key_rules.sort = on),
        |o| on_or_off(o.key_rules.sort),
    ),
    one(
        "vary-language",
        "HOW",
        "Requests that select a response that varies by Accept-Language: equal, those whose lists \
         mean the same, or preferred, also those that prefer its Content-Language to all others \
         [default: equal]",
        |o, text| either(text, ["equal", "preferred"]).map(|by| o.request_rules.by_language = by),
        |o| one_of(["equal", "preferred"], o.request_rules.by_language),
    ),
    one(
        "vary-encoding",
        "HOW",
        "Requests that select a response that varies by Accept-Encoding: equal, those whose lists \
         mean the same, or folded, also those that accept fewer codings, its own among them \
         [default: folded]",
        |o, text| either(text, ["equal", "folded"]).map(|by| o.request_rules.by_coding = by),
        |o| one_of(["equal", "folded"], o.request_rules.by_coding),
    ),
    flag(
        "cache-set-cookie",
        "Store responses with Set-Cookie that say max-age or Expires, not only those that say \
         public, s-maxage, or have a targeted field [default: off]",
        |o, text| switch(text).map(|on| o.store_cookies = on),
        |o| on_or_off(o.store_cookies),
    ),
    flag(
        "ignore-client-no-cache",
        "Serve what is fresh also to requests that say no-cache, max-age or min-fresh (with \
         --to) [default: off]",
        |o, text| switch(text).map(|on| o.request_rules.ignore_no_cache = on),
        |o| on_or_off(o.request_rules.ignore_no_cache),
    ),
    flag(
        "targeted-cache-control",
        "Obey CDN-Cache-Control and Tidegate-Cache-Control [default: on with --to]",
        |o, text| switch(text).map(|on| o.targeted = Some(on)),
        |o| o.targeted.into_iter().flat_map(on_or_off).collect(),
    ),
    flag(
        "cache-status-key",
        "Show in Cache-Status by which key a response is stored",
        |o, text| switch(text).map(|on| o.status_key = on),
        |o| on_or_off(o.status_key),
    ),
    many(one(
        "allow-destination",
        "RULE",
        "Allow special addresses: a CIDR or address; HOST or *.DOMAIN for its private addresses; \
         HOST=CIDR while it resolves into that range",
        |o, text| text.parse().map(|rule| o.destinations.rules.push(rule)),
        |o| o.destinations.rules.iter().map(DestinationRule::to_string).collect(),
    )),
    many(one(
        "rule",
        "RULE|@FILE",
        "Who may go where: allow|deny|report [DESTINATION|@FILE] [client=…] [user=…] [port=…] …; \
         the first that fits decides. @FILE has rules, one a line",
        |o, text| o.rules.add(text),
        |o| o.rules.given.iter().map(|given| given.option.to_string()).collect(),
    )),
    one(
        "rule-default",
        "allow|deny",
        "What becomes of requests that no rule fits [default: allow]",
        |o, text| either(text, ["allow", "deny"]).map(|denies| o.rules.denies = denies),
        |o| one_of(["allow", "deny"], o.rules.denies),
    ),
    flag(
        "rule-report",
        "Let pass what rules deny, and say so in the log",
        |o, text| switch(text).map(|on| o.rules.reports = on),
        |o| on_or_off(o.rules.reports),
    ),
    one(
        "allow-port",
        "LIST",
        "Ports that requests may go to [default: 80,443,1025-65535]",
        |o, text| text.parse().map(|ports| o.destinations.ports = ports),
        |o| vec![o.destinations.ports.to_string()],
    ),
    one(
        "allow-connect-port",
        "LIST",
        "Ports that CONNECT may go to [default: 80,443]",
        |o, text| text.parse().map(|ports| o.destinations.connect_ports = ports),
        |o| vec![o.destinations.connect_ports.to_string()],
    ),
    many(one(
        "allow-client",
        "CIDR",
        "Clients that may use the proxy, beside this machine [default: none; with --to, all]",
        |o, text| push(&mut o.clients, text, "a CIDR or address"),
        |o| texts(&o.clients),
    )),
    many(one(
        "users",
        "FILE",
        "Serve only users in this file, made with 'htpasswd' or 'htdigest'; read again on reload",
        |o, text| push(&mut o.auth.files, text, "a file"),
        |o| texts(&o.auth.files),
    )),
    one(
        "auth",
        "SCHEMES",
        "How users may say who they are: basic, digest or basic,digest [default: what their files \
         serve]",
        |o, text| text.parse().map(|schemes| o.auth.schemes = Some(schemes)),
        |o| o.auth.schemes.iter().map(Schemes::to_string).collect(),
    ),
    one(
        "realm",
        "TEXT",
        "What users see that their password is for; lines of 'htdigest' name it [default: tidegate]",
        |o, text| text.parse().map(|realm| o.auth.realm = realm),
        |o| vec![o.auth.realm.to_string()],
    ),
    many(one(
        "protect",
        "RULE",
        "Serve a path to users of its own only (with --to): PATH [realm=TEXT] [users=FILE] \
         [auth=SCHEMES]; the longest path counts, and what a rule does not say is as for the whole",
        |o, text| text.parse().map(|rule| o.auth.protect.push(rule)),
        |o| texts(&o.auth.protect),
    )),
    flag(
        "userhash",
        "Let clients of Digest hide users' names (RFC 7616) [default: off]",
        |o, text| switch(text).map(|on| o.auth.userhash = on),
        |o| on_or_off(o.auth.userhash),
    ),
    one(
        "nonce-lifetime",
        "TIME",
        "How long a challenge of Digest can be answered [default: 5m]",
        |o, text| {
            let lifetime: Duration = unit(text)?;
            if lifetime.is_zero() {
                return Err("with no time at all, no answer could come in time".into());
            }
            o.auth.nonce_lifetime = lifetime;
            Ok(())
        },
        |o| vec![o.auth.nonce_lifetime.write()],
    ),
    one(
        "auth-ban",
        "N/TIME|off",
        "A client that was wrong N times within a time is not heard for as long [default: 20/1m]",
        |o, text| text.parse().map(|ban| o.auth.ban = ban),
        |o| vec![o.auth.ban.to_string()],
    ),
    many(one(
        "allow-purge",
        "CIDR",
        "Clients for which the method PURGE removes a URL from the cache [default: none]",
        |o, text| push(&mut o.purgers, text, "a CIDR or address"),
        |o| texts(&o.purgers),
    )),
    many(one(
        "trusted-proxy",
        "CIDR",
        "Proxies whose X-Forwarded-* and Forwarded are believed and extended (with --to)",
        |o, text| push(&mut o.trusted_proxies, text, "a CIDR or address"),
        |o| texts(&o.trusted_proxies),
    )),
    many(one(
        "allow-upgrade",
        "PROTOCOL",
        "Protocols that clients may switch to beside WebSocket, such as tcp or SPDY/3.1",
        |o, text| text.parse().map(|protocol| o.upgrades.push(protocol)),
        |o| texts(&o.upgrades),
    )),
    one(
        "access-log",
        "-|FILE|off",
        "Where a line for every request goes [default: -, standard output]",
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
        "How its lines look: human, combined, squid or json [default: human]",
        |o, text| text.parse().map(|format| o.log_format = format),
        |o| vec![o.log_format.to_string()],
    ),
    one(
        "via",
        "NAME",
        "The name in Via, by which loops are seen [default: a random one]",
        |o, text| match hop::is_pseudonym(text) {
            true => {
                o.via = Some(text.to_owned());
                Ok(())
            }
            false => Err(format!("'{text}' is no token: letters, digits, '-', '.' and '_'")),
        },
        |o| o.via.iter().cloned().collect(),
    ),
    one(
        "control",
        "PATH|off",
        "Unix socket for 'tidegate purge', 'stats' and 'reload', open to the same user only \
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
        "Serve figures for Prometheus here, at /metrics, to whoever can connect [default: off]",
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
        "Run as this user once everything is open; for a start by root [default: who starts it]",
        |o, text| named(&mut o.user, text, "a user's name or number"),
        |o| o.user.iter().cloned().collect(),
    ),
    one(
        "group",
        "NAME",
        "Run in this group only [default: those of --user]",
        |o, text| named(&mut o.group, text, "a group's name or number"),
        |o| o.group.iter().cloned().collect(),
    ),
    flag(
        "confine",
        "Give up all other files and listening once everything is open, as far as the kernel can \
         (Landlock) [default: off]",
        |o, text| switch(text).map(|on| o.confine = on),
        |o| on_or_off(o.confine),
    ),
    flag(
        "allow-core-dumps",
        "Let the memory of the process, which holds secrets, be dumped and looked at, for \
         debugging [default: off]",
        |o, text| switch(text).map(|on| o.core_dumps = on),
        |o| on_or_off(o.core_dumps),
    ),
    one(
        "resolver",
        "WHICH",
        "Who looks names up: loop, the proxy itself, or system, getaddrinfo(3) on threads \
         [default: loop]",
        |o, text| text.parse().map(|resolver| o.resolver = resolver),
        |o| vec![o.resolver.to_string()],
    ),
    many(one(
        "dns-server",
        "ADDR[:PORT]",
        "Ask this server for names, instead of those of /etc/resolv.conf",
        |o, text| name_server(text).map(|server| o.dns_servers.push(server)),
        |o| texts(&o.dns_servers),
    )),
    one(
        "dns-0x20",
        "on|off",
        "Spell names in queries in random case, so that answers are harder to forge [default: on]",
        |o, text| switch(text).map(|on| o.dns_0x20 = on),
        |o| on_or_off(o.dns_0x20),
    ),
    one(
        "hosts",
        "FILE",
        "Names that this machine knows itself, read again when it changes [default: /etc/hosts]",
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
        "Open clients at a time [default: what RLIMIT_NOFILE bears]",
        |o, text| limit(o, "max-clients", text),
        |o| o.limits.max_clients.iter().map(Unit::write).collect(),
    ),
    one(
        "connection-memory",
        "SIZE",
        "Memory for all connections together, beside the cache [default: 256MiB]",
        |o, text| limit(o, "connection-memory", text),
        |o| vec![o.limits.connection_memory.write()],
    ),
    one(
        "connect-timeout",
        "TIME",
        "For connecting to an origin, with the look-up of its name [default: 10s]",
        |o, text| limit(o, "connect-timeout", text),
        |o| vec![o.limits.connect_timeout.write()],
    ),
    one(
        "origin-timeout",
        "TIME",
        "For an origin's first byte, and between bytes [default: 60s]",
        |o, text| limit(o, "origin-timeout", text),
        |o| vec![o.limits.origin_timeout.write()],
    ),
    one(
        "header-timeout",
        "TIME",
        "For a whole request head [default: 15s]",
        |o, text| limit(o, "header-timeout", text),
        |o| vec![o.limits.header_timeout.write()],
    ),
    one(
        "idle-timeout",
        "TIME",
        "For a kept-alive client that asks for nothing [default: 60s]",
        |o, text| limit(o, "idle-timeout", text),
        |o| vec![o.limits.idle_timeout.write()],
    ),
    one(
        "drain-timeout",
        "TIME",
        "For what is in flight when the proxy is told to stop [default: 30s]",
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

/// Reads the second of two words as true.
fn either(text: &str, words: [&str; 2]) -> Result<bool, String> {
    let wrong = || format!("'{text}' is neither {} nor {}", words[0], words[1]);
    words.iter().position(|word| *word == text).map(|at| at == 1).ok_or_else(wrong)
}

/// The word that [`either`] reads as `second`.
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
    fn every_value_that_is_shown_can_be_given() {
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
