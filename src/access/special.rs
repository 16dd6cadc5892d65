//! Special-purpose addresses, which are denied as destinations unless exempt.
//!
//! The table follows IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190),
//! with the multicast and reserved blocks of the address space registries. Blocks that the
//! registries call globally reachable are [`Global`](AddressClass::Global) here; a comment gives
//! the reason for the class of each block that they leave open.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::embedded::embedded_addresses;

/// Date of the last change of IANA's registries that the table includes.
pub const REGISTRY_DATE: &str = "2025-10-09";

/// Purpose of an address.
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
    /// Multicast groups.
    Multicast,
    /// Limited broadcast: all hosts of a link.
    Broadcast,
    /// Protocol assignments, deprecated and reserved blocks.
    Reserved,
    /// An interface of this machine, whatever block its address is from.
    Own,
}

impl AddressClass {
    /// All classes.
    pub const ALL: [Self; 13] = [
        Self::Global,
        Self::Loopback,
        Self::Unspecified,
        Self::Own,
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

    /// Returns the class of `address`: that of an embedded IPv4 address if it is special, or else
    /// its own.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let mut classes = embedded_addresses(address).into_iter().map(Self::as_such);
        classes.find(|&class| class != Self::Global).unwrap_or(Self::Global)
    }

    /// Returns the class of `address` itself, without regard to addresses that it embeds.
    pub(super) fn as_such(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let listed = SPECIAL_BLOCKS.iter().find(|block| block.contains(address));
        listed.map_or_else(|| Self::of_space(address), |block| block.class)
    }

    /// Returns the class of an address outside all blocks. In IPv6, only 2000::/3 has been
    /// allocated for unicast so far (RFC 4291 §2.4).
    fn of_space(address: IpAddr) -> Self {
        match address {
            IpAddr::V6(v6) if v6.segments()[0] & 0xe000 != 0x2000 => Self::Reserved,
            _ => Self::Global,
        }
    }

    /// Returns true for every class but `Global`, the only one that any host of the Internet may
    /// have.
    #[must_use]
    pub const fn is_internal(self) -> bool {
        !matches!(self, Self::Global)
    }

    /// Returns the name of the class for messages and rules.
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
            Self::Own => "own",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Block of the special-purpose registries, or of the address space registries.
#[derive(Clone, Copy, Debug)]
pub struct SpecialBlock {
    /// First address of the block.
    pub start: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
    /// Class of its addresses.
    pub class: AddressClass,
    /// Purpose of the block, with the document that specifies it.
    pub purpose: &'static str,
}

impl SpecialBlock {
    fn contains(&self, address: IpAddr) -> bool {
        let common = match (self.start, address) {
            (IpAddr::V4(start), IpAddr::V4(v4)) => (start.to_bits() ^ v4.to_bits()).leading_zeros(),
            (IpAddr::V6(start), IpAddr::V6(v6)) => (start.to_bits() ^ v6.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.prefix)
    }
}

impl fmt::Display for SpecialBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.prefix)
    }
}

const fn v4(start: [u8; 4], prefix: u8, class: C, purpose: &'static str) -> SpecialBlock {
    let [a, b, c, d] = start;
    SpecialBlock { start: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix, class, purpose }
}

const fn v6(start: [u16; 8], prefix: u8, class: C, purpose: &'static str) -> SpecialBlock {
    let [a, b, c, d, e, f, g, h] = start;
    let start = IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h));
    SpecialBlock { start, prefix, class, purpose }
}

use AddressClass as C;

/// Table of all special blocks. If several contain an address, the first one counts.
pub const SPECIAL_BLOCKS: &[SpecialBlock] = &[
    v4([0, 0, 0, 0], 8, C::Unspecified, "this network (RFC 791); this host (RFC 1122)"),
    v4([10, 0, 0, 0], 8, C::Private, "private use (RFC 1918)"),
    v4([100, 64, 0, 0], 10, C::Shared, "shared address space (RFC 6598)"),
    v4([127, 0, 0, 0], 8, C::Loopback, "loopback (RFC 1122)"),
    v4([169, 254, 0, 0], 16, C::LinkLocal, "link local (RFC 3927); metadata services of clouds"),
    v4([172, 16, 0, 0], 12, C::Private, "private use (RFC 1918)"),
    v4([192, 0, 0, 0], 29, C::Reserved, "IPv4 service continuity (RFC 7335)"),
    v4([192, 0, 0, 8], 32, C::Reserved, "dummy address (RFC 7600)"),
    v4([192, 0, 0, 9], 32, C::Global, "Port Control Protocol anycast (RFC 7723)"),
    v4([192, 0, 0, 10], 32, C::Global, "TURN anycast (RFC 8155)"),
    v4([192, 0, 0, 170], 31, C::Reserved, "discovery of NAT64 and DNS64 (RFC 7050, RFC 8880)"),
    v4([192, 0, 0, 0], 24, C::Reserved, "protocol assignments (RFC 6890)"),
    v4([192, 0, 2, 0], 24, C::Documentation, "documentation, TEST-NET-1 (RFC 5737)"),
    v4([192, 31, 196, 0], 24, C::Global, "AS112 (RFC 7535)"),
    v4([192, 52, 193, 0], 24, C::Global, "multicast tunnels, AMT (RFC 7450)"),
    v4([192, 88, 99, 2], 32, C::Reserved, "6a44 relay anycast (RFC 6751)"),
    v4([192, 88, 99, 0], 24, C::Reserved, "6to4 relay anycast, deprecated (RFC 7526)"),
    v4([192, 168, 0, 0], 16, C::Private, "private use (RFC 1918)"),
    v4([192, 175, 48, 0], 24, C::Global, "AS112, direct delegation (RFC 7534)"),
    v4([198, 18, 0, 0], 15, C::Benchmarking, "benchmarking (RFC 2544)"),
    v4([198, 51, 100, 0], 24, C::Documentation, "documentation, TEST-NET-2 (RFC 5737)"),
    v4([203, 0, 113, 0], 24, C::Documentation, "documentation, TEST-NET-3 (RFC 5737)"),
    v4([224, 0, 0, 0], 4, C::Multicast, "multicast (RFC 5771)"),
    v4([255, 255, 255, 255], 32, C::Broadcast, "limited broadcast (RFC 919)"),
    v4([240, 0, 0, 0], 4, C::Reserved, "reserved (RFC 1112)"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, C::Unspecified, "unspecified (RFC 4291)"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, C::Loopback, "loopback (RFC 4291)"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, C::Reserved, "IPv4-compatible, deprecated (RFC 4291)"),
    v6(
        [0, 0, 0, 0, 0, 0xffff, 0, 0],
        96,
        C::Global,
        "IPv4-mapped; class of the IPv4 address (RFC 4291)",
    ),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, C::Reserved, "IPv4-translated, obsolete (RFC 2765)"),
    v6(
        [0x64, 0xff9b, 0, 0, 0, 0, 0, 0],
        96,
        C::Global,
        "NAT64; class of the IPv4 address (RFC 6052)",
    ),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, C::Reserved, "NAT64 for local use (RFC 8215)"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, C::Reserved, "discard only (RFC 6666)"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, C::Reserved, "dummy prefix (RFC 9780)"),
    // Left open by the registry. Teredo leads to hosts behind a NAT, and its servers are gone.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, C::Reserved, "Teredo (RFC 4380)"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, C::Global, "Port Control Protocol anycast (RFC 7723)"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, C::Global, "TURN anycast (RFC 8155)"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, C::Global, "DNS-SD registration anycast (RFC 9665)"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, C::Benchmarking, "benchmarking (RFC 5180)"),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, C::Global, "multicast tunnels, AMT (RFC 7450)"),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, C::Global, "AS112 (RFC 7535)"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, C::Reserved, "ORCHID, deprecated (RFC 4843)"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, C::Global, "ORCHIDv2 (RFC 7343)"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, C::Global, "entity tags of drones (RFC 9374)"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, C::Reserved, "protocol assignments (RFC 2928)"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, C::Documentation, "documentation (RFC 3849)"),
    // Left open by the registry. Where 6to4 is still in use, it leads to the IPv4 address that it
    // embeds.
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, C::Global, "6to4; class of the IPv4 address (RFC 3056)"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, C::Global, "AS112, direct delegation (RFC 7534)"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, C::Documentation, "documentation (RFC 9637)"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, C::Reserved, "segment routing (RFC 9602)"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, C::UniqueLocal, "unique local (RFC 4193)"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, C::LinkLocal, "link local (RFC 4291)"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, C::Reserved, "site local, deprecated (RFC 3879)"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, C::Multicast, "multicast (RFC 4291)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn class(address: &str) -> AddressClass {
        AddressClass::of(address.parse().unwrap())
    }

    fn last(block: &SpecialBlock) -> IpAddr {
        match block.start {
            IpAddr::V4(start) => {
                let low = u32::MAX.checked_shr(block.prefix.into()).unwrap_or(0);
                Ipv4Addr::from_bits(start.to_bits() | low).into()
            }
            IpAddr::V6(start) => {
                let low = u128::MAX.checked_shr(block.prefix.into()).unwrap_or(0);
                Ipv6Addr::from_bits(start.to_bits() | low).into()
            }
        }
    }

    #[test]
    fn blocks_are_aligned_and_none_is_hidden() {
        for (at, block) in SPECIAL_BLOCKS.iter().enumerate() {
            assert!(block.contains(block.start) && block.contains(last(block)), "{block}");
            let hidden = SPECIAL_BLOCKS[..at]
                .iter()
                .find(|earlier| earlier.contains(block.start) && earlier.contains(last(block)));
            assert!(hidden.is_none(), "{block} is hidden by {}", hidden.unwrap());
            let aligned = match block.start {
                IpAddr::V4(start) => {
                    start.to_bits().trailing_zeros() + u32::from(block.prefix) >= 32
                }
                IpAddr::V6(start) => {
                    start.to_bits().trailing_zeros() + u32::from(block.prefix) >= 128
                }
            };
            assert!(aligned, "{block} has bits beyond its prefix");
        }
    }

    #[test]
    fn edges_of_special_blocks_are_classified() {
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
            ("192.0.0.7", C::Reserved),
            ("192.0.0.8", C::Reserved),
            ("192.0.0.9", C::Global),
            ("192.0.0.10", C::Global),
            ("192.0.0.11", C::Reserved),
            ("192.0.0.171", C::Reserved),
            ("192.31.196.1", C::Global),
            ("192.52.193.1", C::Global),
            ("192.88.99.1", C::Reserved),
            ("192.88.100.0", C::Global),
            ("192.168.1.1", C::Private),
            ("192.175.48.1", C::Global),
            ("198.19.255.255", C::Benchmarking),
            ("223.255.255.255", C::Global),
            ("224.0.0.1", C::Multicast),
            ("240.0.0.1", C::Reserved),
            ("255.255.255.255", C::Broadcast),
            ("::", C::Unspecified),
            ("::1", C::Loopback),
            ("100::1", C::Reserved),
            ("100:0:0:1::1", C::Reserved),
            ("2001:1::1", C::Global),
            ("2001:1::3", C::Global),
            ("2001:1::4", C::Reserved),
            ("2001:2::1", C::Benchmarking),
            ("2001:3::1", C::Global),
            ("2001:4:112::1", C::Global),
            ("2001:4:113::1", C::Reserved),
            ("2001:1f::1", C::Reserved),
            ("2001:20::1", C::Global),
            ("2001:3f::1", C::Global),
            ("2001:40::1", C::Reserved),
            ("2001:1ff::1", C::Reserved),
            ("2001:200::1", C::Global),
            ("2001:db8::1", C::Documentation),
            ("2606:4700::1", C::Global),
            ("2620:4f:8000::1", C::Global),
            ("3fff:fff::1", C::Documentation),
            ("3fff:1000::1", C::Global),
            ("5f00::1", C::Reserved),
            ("4000::1", C::Reserved),
            ("1::1", C::Reserved),
            ("fc00::1", C::UniqueLocal),
            ("fdff::1", C::UniqueLocal),
            ("fe80::1", C::LinkLocal),
            ("fec0::1", C::Reserved),
            ("ff02::1", C::Multicast),
        ] {
            assert_eq!(class(address), expected, "{address}");
        }
    }

    #[test]
    fn embedded_addresses_determine_the_class() {
        for (address, expected) in [
            ("::ffff:127.0.0.1", C::Loopback),
            ("::ffff:8.8.8.8", C::Global),
            ("::127.0.0.1", C::Loopback),
            ("::8.8.8.8", C::Reserved),
            ("::ffff:0:10.0.0.1", C::Private),
            ("::ffff:0:8.8.8.8", C::Reserved),
            ("64:ff9b::169.254.169.254", C::LinkLocal),
            ("64:ff9b::8.8.8.8", C::Global),
            ("64:ff9b:1::8.8.8.8", C::Reserved),
            ("64:ff9b:1::10.0.0.1", C::Private),
            ("2001::8.8.8.8", C::Reserved),
            ("2002:7f00:1::1", C::Loopback),
            ("2002:808:808::1", C::Global),
            ("2606:4700::5efe:10.0.0.1", C::Private),
            ("2606:4700::200:5efe:10.0.0.1", C::Private),
            ("2606:4700::5efe:8.8.8.8", C::Global),
            ("fe80::5efe:8.8.8.8", C::LinkLocal),
        ] {
            assert_eq!(class(address), expected, "{address}");
        }
    }
}
