//! IPv4 addresses embedded in IPv6 addresses: the further places where a packet to the latter may
//! end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns all addresses that have to be allowed for `address` to be allowed: those that it embeds,
/// then itself. An IPv4-mapped address (RFC 4291 §2.5.5.2) yields the IPv4 address only, of which
/// it is another spelling.
pub(super) fn embedded_addresses(address: IpAddr) -> Vec<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(v4) => vec![v4.into()],
        IpAddr::V6(v6) => {
            let embedded = embedded(v6).into_iter().map(IpAddr::V4);
            embedded.chain([v6.into()]).collect()
        }
    }
}

/// Returns the addresses that a packet to `address` certainly reaches. Other embedded IPv4
/// addresses are free for the sender to write and may never be reached, so an allow rule must not
/// trust them.
pub(super) fn reachable_addresses(address: IpAddr) -> Vec<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(v6) if matches!(v6.segments(), [0x64, 0xff9b, 0, 0, 0, 0, ..]) => {
            embedded_addresses(address)
        }
        address => vec![address],
    }
}

fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![], // RFC 4291 §2.5.2 and §2.5.3, not IPv4-compatible
        [0, 0, 0, 0, 0, 0, a, b] => vec![join(a, b)], // compatible (RFC 4291 §2.5.5.1)
        [0, 0, 0, 0, 0xffff, 0, a, b] => vec![join(a, b)], // translated (RFC 2765 §2.1)
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => vec![join(a, b)], // NAT64 (RFC 6052 §2.1)
        [0x64, 0xff9b, 1, ..] => of_local_nat64(address),
        [0x2002, a, b, ..] => vec![join(a, b)], // 6to4 (RFC 3056 §2)
        // Teredo (RFC 4380 §4) embeds the server, and the client behind its NAT.
        [0x2001, 0, c, d, _, _, a, b] => vec![join(!a, !b), join(c, d)],
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => vec![join(a, b)], // ISATAP (RFC 5214 §6.1)
        _ => vec![],
    }
}

/// Returns the IPv4 addresses that an address of 64:ff9b:1::/48 (RFC 8215) may embed. Networks
/// choose prefixes of 48, 56, 64 or 96 bits there, each with its own layout (RFC 6052 §2.2) in
/// which octet 8 and all octets after the IPv4 address are zero. Every layout that fits counts,
/// except that a reading in 0.0.0.0/8 is dropped if another one is not: it is no destination, and
/// results from zero octets only.
fn of_local_nat64(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let octets = address.octets();
    let layouts = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
    let fits = |layout: &[usize; 4]| {
        layout[0] == 12 || (octets[8] == 0 && octets[layout[3] + 1..].iter().all(|&o| o == 0))
    };
    let read = |layout: [usize; 4]| Ipv4Addr::from(layout.map(|at| octets[at]));
    let mut found: Vec<_> = layouts.into_iter().filter(fits).map(read).collect();
    if found.iter().any(|v4| v4.octets()[0] != 0) {
        found.retain(|v4| v4.octets()[0] != 0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_addresses_are_found() {
        for (address, expected) in [
            ("2606:4700::1", &[] as &[&str]),
            ("::1", &[]),
            ("::", &[]),
            ("::2", &["0.0.0.2"]),
            ("::127.0.0.1", &["127.0.0.1"]),
            ("::ffff:0:127.0.0.1", &["127.0.0.1"]),
            ("64:ff9b::127.0.0.1", &["127.0.0.1"]),
            ("64:ff9b:0:0:1::127.0.0.1", &[]),
            ("2002:7f00:1:2:3:4:5:6", &["127.0.0.1"]),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", &["127.0.0.1", "65.54.227.120"]),
            ("fe80::200:5efe:127.0.0.1", &["127.0.0.1"]),
            ("2606::5efe:127.0.0.1", &["127.0.0.1"]),
            ("2606::100:5efe:127.0.0.1", &[]),
            // The layouts of RFC 6052 for 127.0.0.1 and prefixes of 48, 56, 64 and 96 bits. An
            // address that fits two layouts yields both readings.
            ("64:ff9b:1:7f00:0:100::", &["127.0.0.1"]),
            ("64:ff9b:1:aa7f:0:1::", &["127.0.0.1"]),
            ("64:ff9b:1:aabb:7f:0:100:0", &["127.0.0.1", "1.0.0.0"]),
            ("64:ff9b:1:aabb:0:cc:7f00:1", &["127.0.0.1"]),
            ("64:ff9b:1::127.0.0.1", &["127.0.0.1"]),
            ("64:ff9b:1:7f0a:0:100::", &["127.10.0.1", "10.0.1.0"]),
            ("64:ff9b:1::", &["0.0.0.0"; 4]),
        ] {
            let found: Vec<_> = embedded(address.parse().unwrap());
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn embedded_addresses_are_not_always_reachable() {
        for (address, expected) in [
            ("10.0.0.1", &["10.0.0.1"] as &[&str]),
            ("::ffff:10.0.0.1", &["10.0.0.1"]),
            ("64:ff9b::10.0.0.1", &["10.0.0.1", "64:ff9b::a00:1"]),
            ("2002:a00:1::1", &["2002:a00:1::1"]),
            ("2606:4700::5efe:10.0.0.1", &["2606:4700::5efe:a00:1"]),
        ] {
            let ends = reachable_addresses(address.parse().unwrap());
            let ends: Vec<_> = ends.iter().map(ToString::to_string).collect();
            assert_eq!(ends, expected, "{address}");
        }
    }

    #[test]
    fn mapped_address_yields_ipv4_only() {
        let facets = embedded_addresses("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(facets, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
