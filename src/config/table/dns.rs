//! Options for the resolution of host names.

use crate::config::name_server::name_server;

use super::spec::{OptionSpec, many, one};
use super::value::{on_or_off, switch, texts};

pub(super) const DNS: &[OptionSpec] = &[
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
];
