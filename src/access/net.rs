//! Ranges of addresses in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or a single address.
///
/// An IPv4-mapped IPv6 range or address is stored as the IPv4 one that it maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Returns the range of the first `prefix` bits of `address`. Returns `None` if the address has
    /// fewer bits, or if bits beyond the prefix are set.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (address, prefix) = match address {
            IpAddr::V6(v6) if prefix >= 96 => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), prefix - 96),
                None => (address, prefix),
            },
            _ => (address, prefix),
        };
        let range = Self { address, prefix };
        (prefix <= width(address) && masked(address, prefix) == bits(address)).then_some(range)
    }

    /// Returns the range of `prefix` bits that contains `address`, or `None` if the address has
    /// fewer bits. An IPv4-mapped address counts as the IPv4 address.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = address.to_canonical();
        let kept = masked(address, prefix);
        let first = match address {
            IpAddr::V4(_) => IpAddr::V4(((kept >> 96) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(kept.into()),
        };
        (prefix <= width(address)).then_some(Self { address: first, prefix })
    }

    /// Parses a range. `expected` describes it for texts without an address.
    ///
    /// # Errors
    /// A message about what is wrong.
    pub fn read(text: &str, expected: &str) -> Result<Self, String> {
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        match address.parse::<IpAddr>() {
            Ok(_) => text.parse(),
            Err(_) => Err(format!("'{text}' is not {expected}")),
        }
    }

    /// Returns the first address of the range.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.address
    }

    /// Returns the prefix length in bits.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Returns true if the range contains `address`. An IPv4-mapped address counts as the IPv4
    /// address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && masked(address, self.prefix) == bits(self.address)
    }

    /// Returns true if the range contains all addresses of `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the address as the high bits of a number.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let low = 128 - u32::from(prefix);
    bits(address).checked_shr(low).and_then(|high| high.checked_shl(low)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr =
            address.parse().map_err(|_| format!("'{address}' is not an IP address"))?;
        let prefix = match prefix {
            None => width(address),
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|&prefix| prefix <= width(address))
                .ok_or_else(|| format!("'/{digits}' is not a prefix length of {address}"))?,
        };
        Self::new(address, prefix).ok_or_else(|| {
            let meant = Self::around(address, prefix);
            let meant = meant.map(|range| format!("; did you mean {range}?")).unwrap_or_default();
            format!("'{text}' has bits set behind the prefix{meant}")
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        range.parse::<Cidr>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn range_contains_addresses_with_its_prefix() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "255.1.2.3"));
        assert!(!contains("0.0.0.0/0", "::1"), "the families are separate");
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("127.0.0.1", "::ffff:127.0.0.1"), "a mapped address counts as IPv4");
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("fe80::/10", "febf::1") && !contains("fe80::/10", "fec0::1"));
    }

    #[test]
    fn range_covers_itself_and_ranges_inside() {
        let covers = |a: &str, b: &str| a.parse::<Cidr>().unwrap().covers(&b.parse().unwrap());
        assert!(covers("10.0.0.0/8", "10.0.0.0/8") && covers("10.0.0.0/8", "10.1.0.0/16"));
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8") && !covers("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!covers("0.0.0.0/0", "::1") && covers("::/0", "2001:db8::/32"));
    }

    #[test]
    fn invalid_ranges_are_rejected() {
        for text in ["", "10.0.0.0/33", "10.0.0.1/8", "host", "10.0.0.0/-1", "::1/129", "1.2.3/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        for (text, message) in [
            ("x/8", "'x/8' is not a range"),
            ("10.0.0.0/33", "'/33' is not a prefix length of 10.0.0.0"),
            ("10.0.0.1/8", "'10.0.0.1/8' has bits set behind the prefix; did you mean 10.0.0.0/8?"),
            ("2001:db8::1/32", "behind the prefix; did you mean 2001:db8::/32?"),
        ] {
            assert!(Cidr::read(text, "a range").unwrap_err().ends_with(message), "{text}");
        }
        assert_eq!("192.0.2.0/24".parse::<Cidr>().unwrap().to_string(), "192.0.2.0/24");
        assert_eq!("::1".parse::<Cidr>().unwrap().to_string(), "::1");
    }
}
