//! Addresses as text. An address is written for each request, so digits are written directly, at a
//! tenth of the cost of `fmt`.

use std::fmt::{self, Write};
use std::net::IpAddr;

/// Length of the longest IPv6 address in any form, in bytes.
const LONGEST: usize = 45;

/// An IP address as text. An IPv4-mapped address is written as the IPv4 address.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressText {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AddressText {
    pub(super) fn of(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [first, rest @ ..] = address.octets();
                text.push_octet(first);
                for octet in rest {
                    text.push(b'.');
                    text.push_octet(octet);
                }
            }
            IpAddr::V6(address) => {
                let _ = write!(text, "{address}"); // fits
            }
        }
        text
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn push_octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.push(b'0' + octet / 10 % 10);
        }
        self.push(b'0' + octet % 10);
    }

    const fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

impl Write for AddressText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + part.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length += part.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn text(address: impl Into<IpAddr>) -> String {
        AddressText::of(address.into()).as_str().to_owned()
    }

    proptest! {
        #[test]
        fn text_equals_that_of_the_standard_library(four: [u8; 4], six: [u8; 16], zeros: u16) {
            let four = Ipv4Addr::from(four);
            prop_assert_eq!(text(four), four.to_string());
            prop_assert_eq!(text(four.to_ipv6_mapped()), four.to_string());
            let six = Ipv6Addr::from(u128::from_be_bytes(six) & !(u128::from(zeros) << 48));
            prop_assert_eq!(text(six), IpAddr::from(six).to_canonical().to_string());
        }
    }

    #[test]
    fn longest_addresses_fit() {
        for text in ["255.255.255.255", "0.0.0.0", "1111:2222:3333:4444:5555:6666:7777:8888", "::"]
        {
            assert_eq!(self::text(text.parse::<IpAddr>().unwrap()), text);
        }
    }
}
