//! The client behind trusted proxies: what they say of it is read, believed and passed on.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use crate::http::{Authority, Fields, HeadWriter, Name, list};
use crate::proxy::address_text::AddressText;
use crate::proxy::settings::Settings;

/// What is believed of the way that a request has come to this proxy. Unless its peer is trusted, that is
/// what this proxy sees itself.
///
/// A trusted peer is believed the `X-Forwarded-*` fields, and `Forwarded` (RFC 7239) where those are
/// missing.
#[derive(Debug)]
pub(crate) struct Behind<'a> {
    /// Address of the client: the last that is not of a trusted proxy itself. What the client may have
    /// written before that is not looked at.
    pub(crate) client: IpAddr,
    /// Set if the client has asked for an `https` URL.
    pub(super) https: bool,
    /// Host that the client has asked for, if a proxy says so.
    pub(super) host: Option<Authority<'a>>,
    peer: IpAddr,
    trusted: bool,
    /// Addresses from the client's on, up to the peer's: those of trusted proxies.
    nodes: Vec<IpAddr>,
    /// Set if `Forwarded` says the same, so that it can be extended.
    agrees: bool,
}

impl<'a> Behind<'a> {
    /// Reads what `peer`, which has sent a request with these fields, says of its client.
    pub(crate) fn of(peer: IpAddr, fields: &'a Fields, settings: &Settings) -> Self {
        let trusted = settings.reverse.is_some() && settings.trusts(peer);
        let alone = Self {
            client: peer,
            https: false,
            host: None,
            peer,
            trusted,
            nodes: Vec::new(),
            agrees: false,
        };
        if trusted { alone.believing(fields, settings) } else { alone }
    }

    fn believing(self, fields: &'a Fields, settings: &Settings) -> Self {
        let elements: Vec<_> = fields.elements(Name::Forwarded).map(Element::read).collect();
        let of_elements: Vec<_> = elements.iter().map(|element| element.node).collect();
        let said = believed(&of_elements, settings);
        let said_by = elements.iter().rev().nth(said.len().saturating_sub(1)).copied();
        let nodes = match fields.has(Name::XForwardedFor) {
            true => {
                let listed: Vec<_> = fields.elements(Name::XForwardedFor).map(address).collect();
                believed(&listed, settings)
            }
            false => said.clone(),
        };
        let client = nodes.first().copied().unwrap_or(self.peer);

        let same_client = said.first().copied().unwrap_or(self.peer) == client;
        let element = said_by.filter(|_| same_client).unwrap_or_default();
        let first = |name| fields.elements(name).next();
        let proto = first(Name::XForwardedProto).and_then(is_https);
        let host = first(Name::XForwardedHost).and_then(|text| Authority::parse(text).ok());
        let is_whole = fields.all(Name::Forwarded).all(list::is_terminated);
        let agrees = !elements.is_empty()
            && (is_whole && same_client)
            && (proto.is_none() || proto == element.https)
            && (host.is_none() || host == element.host);
        let https = proto.or(element.https).unwrap_or(false);
        Self { client, https, host: host.or(element.host), nodes, agrees, ..self }
    }

    /// Returns true if the peer is a trusted proxy.
    pub(crate) const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Tells the origin all that is believed, in both forms, and adds this hop, at which the request came
    /// for `host`. A form that has come is extended; one that has not begins with the client.
    pub(crate) fn write_to(&self, head: &mut HeadWriter<'_>, fields: &Fields, host: &str) {
        let lines = |id| fields.all(id).filter(|value| self.trusted && !value.is_empty());
        let peer = AddressText::of(self.peer);
        let push_peer = |out: &mut Vec<u8>| push(out, peer.as_str());
        if fields.has(Name::XForwardedFor) {
            head.list("X-Forwarded-For", lines(Name::XForwardedFor), push_peer);
        } else {
            let nodes: Vec<_> = self.nodes.iter().map(|&node| AddressText::of(node)).collect();
            let nodes = nodes.iter().map(|node| node.as_str().as_bytes());
            head.list("X-Forwarded-For", nodes, push_peer);
        }
        let scheme = if self.https { "https" } else { "http" };
        let public = self.host.map_or(Cow::Borrowed(host), |host| Cow::Owned(text_of(&host)));
        head.field("X-Forwarded-Proto", scheme.as_bytes());
        head.field("X-Forwarded-Host", public.as_bytes());

        let of_client = |node| Said { node, asked: Some((&public, scheme)) };
        let element = match self.nodes.is_empty() {
            true => of_client(self.peer),
            false => Said { node: self.peer, asked: Some((host, "http")) },
        };
        if self.agrees {
            head.list("Forwarded", lines(Name::Forwarded), |out| element.push_to(out));
        } else {
            let client = self.nodes.iter().take(1).map(|&node| of_client(node));
            let proxies = self.nodes.iter().skip(1).map(|&node| Said { node, asked: None });
            head.value("Forwarded", |out| {
                for said in client.chain(proxies) {
                    said.push_to(out);
                    push(out, ", ");
                }
                element.push_to(out);
            });
        }
    }
}

/// Returns the addresses from the last that is not of a trusted proxy on; all known ones at the end, if all
/// are of trusted proxies.
fn believed(nodes: &[Option<IpAddr>], settings: &Settings) -> Vec<IpAddr> {
    let mut believed = Vec::new();
    for node in nodes.iter().rev() {
        let Some(address) = node else { break };
        believed.push(*address);
        if !settings.trusts(*address) {
            break;
        }
    }
    believed.reverse();
    believed
}

/// One element of `Forwarded` (RFC 7239 §4), as far as it can be read.
#[derive(Clone, Copy, Debug, Default)]
struct Element<'a> {
    node: Option<IpAddr>,
    https: Option<bool>,
    host: Option<Authority<'a>>,
}

impl<'a> Element<'a> {
    fn read(text: &'a [u8]) -> Self {
        let mut element = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let end = list::unquoted(rest, b';').unwrap_or(rest.len());
            element.take(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        element
    }

    /// Takes one parameter; the first of a name counts.
    fn take(&mut self, pair: &'a [u8]) {
        let Some(equals) = pair.iter().position(|&byte| byte == b'=') else { return };
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        let Some(value) = unquoted(value) else { return };
        match name.to_ascii_lowercase().as_slice() {
            b"for" => self.node = self.node.or_else(|| address(value)),
            b"proto" => self.https = self.https.or_else(|| is_https(value)),
            b"host" => self.host = self.host.or_else(|| Authority::parse(value).ok()),
            _ => {}
        }
    }
}

/// A token, or what a quoted string without escapes holds.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(text) => (!text.contains(&b'\\')).then_some(text),
        None => list::is_token(value).then_some(value),
    }
}

/// An address, perhaps with a port, as many proxies write it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

const fn is_https(scheme: &[u8]) -> Option<bool> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else if scheme.eq_ignore_ascii_case(b"http") {
        Some(false)
    } else {
        None
    }
}

fn text_of(authority: &Authority<'_>) -> String {
    match authority.port {
        Some(port) => format!("{}:{port}", authority.host),
        None => authority.host.to_owned(),
    }
}

/// An element of `Forwarded` to be written (RFC 7239 §4).
struct Said<'a> {
    /// The node that has asked a hop.
    node: IpAddr,
    /// The host it has asked for, and the scheme, if the element says so.
    asked: Option<(&'a str, &'a str)>,
}

impl Said<'_> {
    fn push_to(&self, out: &mut Vec<u8>) {
        let node = AddressText::of(self.node);
        let (open, close) = match self.node.to_canonical() {
            IpAddr::V4(_) => ("", ""),
            IpAddr::V6(_) => ("\"[", "]\""),
        };
        ["for=", open, node.as_str(), close].iter().for_each(|part| push(out, part));
        if let Some((host, scheme)) = self.asked {
            [";host=\"", host, "\";proto=", scheme].iter().for_each(|part| push(out, part));
        }
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::origin::ReverseOrigin;

    fn settings(trusted: &[&str]) -> Settings {
        let mut settings = Settings::forward("gate");
        settings.reverse = Some(ReverseOrigin::parse("http://127.0.0.1").unwrap());
        settings.trusted_proxies = trusted.iter().map(|text| text.parse().unwrap()).collect();
        settings
    }

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    const PEER: &str = "10.0.0.1";

    fn behind(trusted: &[&str], lines: &[(&str, &str)]) -> String {
        let fields = fields(lines);
        Behind::of(PEER.parse().unwrap(), &fields, &settings(trusted)).client.to_string()
    }

    /// The fields that the origin gets from a trusted peer that sends these `lines`.
    fn told(lines: &[(&str, &str)]) -> Vec<String> {
        let (fields, mut out) = (fields(lines), Vec::new());
        let behind = Behind::of(PEER.parse().unwrap(), &fields, &settings(&["10.0.0.0/24"]));
        behind.write_to(&mut HeadWriter::resume(&mut out), &fields, "h.test");
        let text = String::from_utf8(out).unwrap();
        let value = |line: &str| line.split_once(": ").unwrap().1.to_owned();
        text.lines().map(value).collect()
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

    #[test]
    fn both_forms_say_the_same_of_client_scheme_and_host() {
        for (lines, expected) in [
            (&[][..], [PEER, "http", "h.test", "for=10.0.0.1;host=\"h.test\";proto=http"]),
            (
                &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")],
                [
                    "192.0.2.1, 10.0.0.1",
                    "https",
                    "h.test",
                    "for=192.0.2.1;host=\"h.test\";proto=https, for=10.0.0.1;host=\"h.test\";proto=http",
                ],
            ),
            (
                &[
                    ("X-Forwarded-For", "bad, 2001:db8::1, 10.0.0.2"),
                    ("X-Forwarded-Host", "W.test:81, x"),
                ],
                [
                    "bad, 2001:db8::1, 10.0.0.2, 10.0.0.1",
                    "http",
                    "W.test:81",
                    "for=\"[2001:db8::1]\";host=\"W.test:81\";proto=http, for=10.0.0.2, \
                     for=10.0.0.1;host=\"h.test\";proto=http",
                ],
            ),
            (
                &[("Forwarded", "for=192.0.2.1;proto=HTTPS;host=\"w.test\";by=_a, for=10.0.0.2")],
                [
                    "192.0.2.1, 10.0.0.2, 10.0.0.1",
                    "https",
                    "w.test",
                    "for=192.0.2.1;proto=HTTPS;host=\"w.test\";by=_a, for=10.0.0.2, \
                     for=10.0.0.1;host=\"h.test\";proto=http",
                ],
            ),
            (
                &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "w.test")],
                [PEER, "https", "w.test", "for=10.0.0.1;host=\"w.test\";proto=https"],
            ),
        ] {
            assert_eq!(told(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_forwarded_that_disagrees_or_has_no_end_is_written_anew() {
        let list = ("X-Forwarded-For", "192.0.2.1");
        let element = "for=10.0.0.1;host=\"h.test\";proto=http";
        for (forwarded, anew) in [
            ("for=192.0.2.1", false),
            ("for=192.0.2.1;proto=http, for=10.0.0.7", false),
            ("for=192.0.2.2", true),
            ("for=192.0.2.2, for=192.0.2.1", false),
            ("proto=http", true),
            ("for=192.0.2.1;by=\"_a", true),
            ("", true),
        ] {
            let expected = match anew {
                true => format!("for=192.0.2.1;host=\"h.test\";proto=http, {element}"),
                false => format!("{forwarded}, {element}"),
            };
            assert_eq!(told(&[list, ("Forwarded", forwarded)])[3], expected, "{forwarded}");
        }
        let https = [list, ("X-Forwarded-Proto", "https"), ("Forwarded", "for=192.0.2.1")];
        let expected = format!("for=192.0.2.1;host=\"h.test\";proto=https, {element}");
        assert_eq!(told(&https)[3], expected, "proto is missing");
    }
}
