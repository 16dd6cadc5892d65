//! Values of conditions, from and to text.

use std::fmt;
use std::net::SocketAddr;

use crate::http::{Scheme, list};

use super::special::AddressClass;

/// Listener as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ListenerName {
    Port(u16),
    Address(SocketAddr),
}

impl ListenerName {
    /// Returns true if the name is that of `listener`.
    pub(super) fn means(self, listener: SocketAddr) -> bool {
        match self {
            Self::Port(port) => listener.port() == port,
            Self::Address(address) => listener == address,
        }
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Parses the name of a user, or one in a certificate. Spaces, commas and percent signs, which would end
/// the name, are percent-encoded.
pub(super) fn user(text: &str) -> Result<String, String> {
    let error =
        || format!("'{text}' is not a name; write a space as %20, a comma as %2C, % as %25");
    let mut parts = text.split('%');
    let mut name = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        name.push(byte.ok_or_else(error)?);
        name.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(name).ok().filter(|name| !name.is_empty()).ok_or_else(error)
}

/// Parses the number of an autonomous system: `64496` or `AS64496`.
pub(super) fn network(text: &str) -> Result<u32, String> {
    let digits = match text.split_at_checked(2) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("as") => digits,
        _ => text,
    };
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|&number: &u32| is_number && number > 0);
    number.ok_or_else(|| {
        format!("'{text}' is not the number of an autonomous system; write 64496 or AS64496")
    })
}

/// Parses the name of a listener: a port, or an address with a port.
pub(super) fn listener(text: &str) -> Result<ListenerName, String> {
    let port = text.parse().ok().filter(|&port: &u16| port > 0).map(ListenerName::Port);
    let named = port.or_else(|| text.parse().ok().map(ListenerName::Address));
    named.ok_or_else(|| format!("'{text}' is not a listener; write PORT or ADDR:PORT"))
}

/// Parses the name of an address class.
pub(super) fn class(text: &str) -> Result<AddressClass, String> {
    let named = AddressClass::ALL.into_iter().find(|class| class.name() == text);
    named.ok_or_else(|| {
        let names = AddressClass::ALL.map(AddressClass::name).join(", ");
        format!("'{text}' is not an address class; classes are {names}")
    })
}

/// Parses the name of a method.
pub(super) fn method(text: &str) -> Result<String, String> {
    let named = list::is_token(text.as_bytes()).then(|| text.to_owned());
    named.ok_or_else(|| format!("'{text}' is not a valid method name"))
}

/// Parses a scheme: `http` or `https`.
pub(super) fn scheme(text: &str) -> Result<Scheme, String> {
    let named = [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name() == text);
    named.ok_or_else(|| format!("'{text}' is neither http nor https"))
}

/// Returns a name as [`user`] parses it.
pub(super) fn escaped(user: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '%');
    let mut out = String::new();
    for c in user.chars() {
        if ends(c) {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}
