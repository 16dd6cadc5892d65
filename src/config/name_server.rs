//! Addresses of name servers, as options spell them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::dns::PORT;

const EXPECTED: &str = "is not ADDR or ADDR:PORT, such as 127.0.0.1 or [::1]:5353";

/// Parses `ADDR` or `ADDR:PORT`. Brackets are required around an IPv6 address with a port, and
/// around one that looks as if it had a port: `::1:53`.
///
/// # Errors
/// A message that shows how to write the address.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    if let Some((address, port)) = without_brackets(text) {
        return Err(match text.parse::<Ipv6Addr>() {
            Ok(_) => format!(
                "'{text}' may be an address or one with a port; write [{text}] or [{address}]:{port}"
            ),
            Err(_) => format!("an IPv6 address with a port needs brackets: [{address}]:{port}"),
        });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let alone = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    let server = alone.map(|address| SocketAddr::new(address, PORT)).or_else(|_| text.parse());
    match server {
        Ok(server) if server.port() == 0 => {
            Err(format!("'{text}' has port 0; give the server's port, or leave it out for {PORT}"))
        }
        Ok(server) => Ok(server),
        Err(_) => Err(format!("'{text}' {EXPECTED}")),
    }
}

/// Splits an IPv6 address from what could be a port.
fn without_brackets(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, port) = text.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    Some((address.parse().ok().filter(|_| is_port)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_a_port() {
        for (text, server) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
            ("[::1:53]", "[::1:53]:53"),
            ("2001:db8::8888", "[2001:db8::8888]:53"),
            ("2001:db8::1:fe", "[2001:db8::1:fe]:53"),
            ("2001:db8:0:0:0:0:0:53", "[2001:db8::53]:53"),
        ] {
            assert_eq!(name_server(text), Ok(server.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn ambiguous_addresses_are_rejected_with_both_spellings() {
        let error = name_server("::1:53").unwrap_err();
        assert!(error.ends_with("write [::1:53] or [::1]:53"), "{error}");
        let error = name_server("2001:db8:0:0:0:0:0:1:53").unwrap_err();
        assert!(error.ends_with("needs brackets: [2001:db8::1]:53"), "{error}");
    }

    #[test]
    fn invalid_addresses_are_rejected() {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            assert!(name_server(text).unwrap_err().contains("port 0"), "{text}");
        }
        for text in ["", "[]", "[127.0.0.1]", "[::1", "::1]", "[::1]:", "127.0.0.1:65536", "h.test"]
        {
            assert!(name_server(text).unwrap_err().ends_with(EXPECTED), "{text}");
        }
    }
}
