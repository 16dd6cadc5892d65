//! Who has asked, behind proxies whose word is taken.

use std::net::{IpAddr, SocketAddr};

use crate::http::{Fields, Name, list};

use super::settings::Settings;

/// The client whose request `peer` has brought: the last address in `X-Forwarded-For`, or in
/// `Forwarded` if that is missing, that is not of a trusted proxy itself. What the client may have
/// written before that is not looked at. `peer`, if it is not trusted or names nobody.
pub(super) fn client_behind(peer: IpAddr, fields: &Fields, settings: &Settings) -> IpAddr {
    if settings.reverse.is_none() || !settings.trusts(peer) {
        return peer;
    }
    let named: Vec<Option<IpAddr>> = match fields.has(Name::XForwardedFor) {
        true => fields.elements(Name::XForwardedFor).map(address).collect(),
        false => fields.elements(Name::Forwarded).map(forwarded_for).collect(),
    };
    let mut last = peer;
    for name in named.into_iter().rev() {
        let Some(address) = name else { break };
        last = address;
        if !settings.trusts(address) {
            break;
        }
    }
    last
}

/// An address, perhaps with a port, as many proxies write it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// The parameter `for` of one element (RFC 7239 §4).
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let pairs = element.split(|&byte| byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    });
    let value = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(b"for"))?.1;
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    address(quoted.unwrap_or(value)).filter(|_| quoted.is_some() || list::is_token(value))
}

#[cfg(test)]
mod tests {
    use super::super::settings::ReverseOrigin;
    use super::*;

    fn settings(trusted: &[&str]) -> Settings {
        let mut settings = Settings::forward("gate");
        settings.reverse = Some(ReverseOrigin::parse("http://127.0.0.1").unwrap());
        settings.trusted_proxies = trusted.iter().map(|text| text.parse().unwrap()).collect();
        settings
    }

    fn behind(trusted: &[&str], lines: &[(&str, &str)]) -> String {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        client_behind("10.0.0.1".parse().unwrap(), &fields, &settings(trusted)).to_string()
    }

    #[test]
    fn the_last_one_that_is_not_trusted_has_asked() {
        let one = &["10.0.0.0/24"];
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[("X-Forwarded-For", "192.0.2.1")], "192.0.2.1"),
            (&[("X-Forwarded-For", "198.51.100.9, 192.0.2.1")], "192.0.2.1"),
            (&[("X-Forwarded-For", "192.0.2.1, 10.0.0.2")], "192.0.2.1"),
            (&[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "10.0.0.2")], "192.0.2.1"),
            (&[("X-Forwarded-For", "192.0.2.1:4711")], "192.0.2.1"),
            (&[("X-Forwarded-For", "2001:db8::1")], "2001:db8::1"),
            (&[("X-Forwarded-For", "[2001:db8::1]:80")], "2001:db8::1"),
            (&[("X-Forwarded-For", "192.0.2.1, unknown")], "10.0.0.1"),
            (&[("X-Forwarded-For", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("Forwarded", "for=192.0.2.1;proto=http")], "192.0.2.1"),
            (
                &[("Forwarded", "for=198.51.100.9, proto=http; For=\"[2001:db8::1]:80\"")],
                "2001:db8::1",
            ),
            (&[("Forwarded", "for=_hidden")], "10.0.0.1"),
            (&[("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2")], "192.0.2.1"),
        ] {
            assert_eq!(behind(one, lines), expected, "{lines:?}");
            assert_eq!(behind(&[], lines), "10.0.0.1", "{lines:?}: nobody is trusted");
        }
    }
}
