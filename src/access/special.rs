//! The special-purpose addresses, none of which is a destination unless allowed.
//!
//! From IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its successors), and
//! the multicast and reserved blocks of the address space registries. An IPv6 address that embeds
//! an IPv4 address is judged by that one too.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Any host of the Internet.
    Global,
    /// This machine (127.0.0.0/8, ::1).
    Loopback,
    /// No address (0.0.0.0/8, ::).
    Unspecified,
    /// Private use (RFC 1918).
    Private,
    /// Unique local (RFC 4193), the private use of IPv6.
    UniqueLocal,
    /// This link (169.254.0.0/16 with the metadata services of clouds, fe80::/10).
    LinkLocal,
    /// Carrier-grade NAT (RFC 6598).
    Shared,
    /// Documentation and examples.
    Documentation,
    /// Benchmarks (RFC 2544, RFC 5180).
    Benchmarking,
    /// Groups of hosts.
    Multicast,
    /// All hosts of a link.
    Broadcast,
    /// Protocol assignments, deprecated and reserved blocks.
    Reserved,
}

impl AddressClass {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Global,
        Self::Loopback,
        Self::Unspecified,
        Self::Private,
        Self::UniqueLocal,
        Self::LinkLocal,
        Self::Shared,
        Self::Documentation,
        Self::Benchmarking,
        Self::Multicast,
        Self::Broadcast,
        Self::Reserved,
    ];

    /// The class of `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => of_v6(v6),
        }
    }

    /// A name for messages and rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::UniqueLocal => "unique-local",
            Self::LinkLocal => "link-local",
            Self::Shared => "shared",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

use AddressClass as C;

/// First match wins.
const V4: &[([u8; 4], u8, AddressClass)] = &[
    ([0, 0, 0, 0], 8, C::Unspecified),
    ([10, 0, 0, 0], 8, C::Private),
    ([100, 64, 0, 0], 10, C::Shared),
    ([127, 0, 0, 0], 8, C::Loopback),
    ([169, 254, 0, 0], 16, C::LinkLocal),
    ([172, 16, 0, 0], 12, C::Private),
    ([192, 0, 0, 0], 24, C::Reserved), // protocol assignments, with the two that are global below
    ([192, 0, 2, 0], 24, C::Documentation),
    ([192, 88, 99, 0], 24, C::Reserved), // 6to4 relay, deprecated
    ([192, 168, 0, 0], 16, C::Private),
    ([198, 18, 0, 0], 15, C::Benchmarking),
    ([198, 51, 100, 0], 24, C::Documentation),
    ([203, 0, 113, 0], 24, C::Documentation),
    ([224, 0, 0, 0], 4, C::Multicast),
    ([255, 255, 255, 255], 32, C::Broadcast),
    ([240, 0, 0, 0], 4, C::Reserved),
];

/// First match wins.
const V6: &[([u16; 8], u8, AddressClass)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, C::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, C::Loopback),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, C::Reserved), // local translation
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, C::Reserved),     // discard only
    ([0x100, 0, 0, 1, 0, 0, 0, 0], 64, C::Reserved),     // dummy prefix
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, C::Benchmarking),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, C::Documentation),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, C::Reserved), // protocol assignments
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, C::Documentation),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, C::Reserved), // segment routing
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, C::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, C::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, C::Reserved), // site-local, deprecated
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, C::Multicast),
];

fn of_v4(address: Ipv4Addr) -> AddressClass {
    if matches!(address.octets(), [192, 0, 0, 9 | 10]) {
        return C::Global; // PCP and TURN anycast, global by their own entries
    }
    let matches = |&&(start, prefix, _): &&([u8; 4], u8, _)| {
        let differ = address.to_bits() ^ Ipv4Addr::from(start).to_bits();
        differ.leading_zeros() >= u32::from(prefix)
    };
    V4.iter().find(matches).map_or(C::Global, |entry| entry.2)
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    let special = V6.iter().find(|&&(start, prefix, _)| {
        let differ = address.to_bits() ^ Ipv6Addr::from(start).to_bits();
        differ.leading_zeros() >= u32::from(prefix)
    });
    let own = special.map(|entry| entry.2);
    let embedded = embedded_v4(address).map(of_v4).filter(|&class| class != C::Global);
    own.or(embedded).unwrap_or_else(|| {
        // Only 2000::/3 and the two translations that embed an address are anybody's.
        let global = address.segments()[0] & 0xe000 == 0x2000 || embedded_v4(address).is_some();
        if global { C::Global } else { C::Reserved }
    })
}

/// The IPv4 address that a packet to `address` would end at.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = |a: u16, b: u16| Some(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b] => low(a, b), // compatible, mapped
        [0, 0, 0, 0, 0xffff, 0, a, b] => low(a, b),     // translated (RFC 2765)
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => low(a, b),  // NAT64
        [0x2002, a, b, ..] => low(a, b),                // 6to4
        [0x2001, 0, _, _, _, _, a, b] => low(!a, !b),   // Teredo
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => low(a, b), // ISATAP
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(address: &str) -> AddressClass {
        AddressClass::of(address.parse().unwrap())
    }

    #[test]
    fn the_edges_of_the_special_blocks() {
        for (address, expected) in [
            ("0.0.0.0", C::Unspecified),
            ("0.255.255.255", C::Unspecified),
            ("1.0.0.0", C::Global),
            ("9.255.255.255", C::Global),
            ("10.0.0.0", C::Private),
            ("11.0.0.0", C::Global),
            ("100.63.255.255", C::Global),
            ("100.64.0.0", C::Shared),
            ("100.128.0.0", C::Global),
            ("127.255.255.255", C::Loopback),
            ("169.254.169.254", C::LinkLocal),
            ("172.15.255.255", C::Global),
            ("172.31.255.255", C::Private),
            ("172.32.0.0", C::Global),
            ("192.0.0.9", C::Global),
            ("192.0.0.8", C::Reserved),
            ("192.168.1.1", C::Private),
            ("198.19.255.255", C::Benchmarking),
            ("223.255.255.255", C::Global),
            ("224.0.0.1", C::Multicast),
            ("240.0.0.1", C::Reserved),
            ("255.255.255.255", C::Broadcast),
            ("::", C::Unspecified),
            ("::1", C::Loopback),
            ("fc00::1", C::UniqueLocal),
            ("fdff::1", C::UniqueLocal),
            ("fe80::1", C::LinkLocal),
            ("ff02::1", C::Multicast),
            ("2001:db8::1", C::Documentation),
            ("2606:4700::1", C::Global),
            ("4000::1", C::Reserved),
            ("1::1", C::Reserved),
        ] {
            assert_eq!(class(address), expected, "{address}");
        }
    }

    #[test]
    fn an_embedded_address_is_judged_too() {
        for (address, expected) in [
            ("::ffff:127.0.0.1", C::Loopback),
            ("::ffff:8.8.8.8", C::Global),
            ("::127.0.0.1", C::Loopback),
            ("::ffff:0:10.0.0.1", C::Private),
            ("64:ff9b::169.254.169.254", C::LinkLocal),
            ("64:ff9b::8.8.8.8", C::Global),
            ("2002:7f00:1::1", C::Loopback),
            ("2002:808:808::1", C::Global),
            ("2606:4700::5efe:10.0.0.1", C::Private),
            ("2606:4700::200:5efe:10.0.0.1", C::Private),
            ("fe80::5efe:8.8.8.8", C::LinkLocal),
        ] {
            assert_eq!(class(address), expected, "{address}");
        }
        let teredo = Ipv6Addr::new(0x2001, 0, 1, 1, 0, 0, !0x7f00, !1);
        assert_eq!(
            AddressClass::of(teredo.into()),
            C::Reserved,
            "Teredo is a reserved block as such"
        );
    }
}
