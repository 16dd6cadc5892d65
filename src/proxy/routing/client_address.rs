//! The client's address behind trusted proxies (`X-Forwarded-For`, `Forwarded`).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use crate::http::{Authority, Fields, HeadWriter, Name, Scheme, list};
use crate::proxy::address_text::AddressText;
use crate::proxy::observe::peer::Peer;
use crate::proxy::observe::request_id::RequestId;
use crate::proxy::settings::Settings;

/// The client that a request is from, and the URL that it requested, as far as trusted proxies
/// tell. Without a trusted peer, the peer is the client.
///
/// A trusted proxy is believed the `X-Forwarded-*` fields, and `Forwarded` (RFC 7239) where those
/// are missing: a proxy that writes some of them may pass on a `Forwarded` that the client has written.
#[derive(Debug)]
pub(crate) struct Behind<'a> {
    /// The client's address: the last one that is not a trusted proxy's. Addresses before it are
    /// ignored, since the client may have written them.
    pub(crate) client: IpAddr,
    /// True if the client requested an `https` URL.
    pub(super) https: bool,
    /// The host that the client requested, if a trusted proxy names it.
    pub(super) host: Option<Authority<'a>>,
    peer: Peer,
    trusted: bool,
    /// The client's address and those of the trusted proxies after it, without the peer's.
    nodes: Vec<IpAddr>,
    /// True if `Forwarded` agrees with all this and can be extended.
    agrees: bool,
}

impl<'a> Behind<'a> {
    /// Determines the client of a request with `fields` that `peer` has sent, to a `reverse` proxy or to
    /// a forward proxy, which trusts no other.
    pub(crate) fn of(peer: Peer, fields: &'a Fields, settings: &Settings, reverse: bool) -> Self {
        let trusted = reverse && settings.trusts(peer.address);
        let alone = Self {
            client: peer.address,
            https: peer.is_secure,
            host: None,
            peer,
            trusted,
            nodes: Vec::new(),
            agrees: false,
        };
        if trusted { alone.believing(fields, settings) } else { alone }
    }

    /// Returns the identifier that a trusted peer has given the request.
    pub(crate) fn request_id(&self, fields: &Fields) -> Option<RequestId> {
        fields.all_named(b"x-request-id").next().filter(|_| self.trusted).and_then(RequestId::read)
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
        let client = nodes.first().copied().unwrap_or(self.peer.address);

        let same_client = said.first().copied().unwrap_or(self.peer.address) == client;
        let element = said_by.filter(|_| same_client).unwrap_or_default();
        let names = [Name::XForwardedFor, Name::XForwardedProto, Name::XForwardedHost];
        let used = if names.into_iter().any(|name| fields.has(name)) {
            Element::default()
        } else {
            element
        };
        // Proxies that append to such a list append to that of addresses, too. What stands before the
        // element of the outermost trusted proxy is what the client said.
        let of_outermost = |name| {
            let listed: Vec<_> = fields.elements(name).collect();
            let at = listed.len().saturating_sub(nodes.len().max(1));
            listed.get(at).copied()
        };
        let proto = of_outermost(Name::XForwardedProto).and_then(is_https);
        let host = of_outermost(Name::XForwardedHost).and_then(|text| Authority::parse(text).ok());
        let https = proto.or(used.https).unwrap_or(self.https);
        let public = host.or(used.host);
        let is_whole = fields.all(Name::Forwarded).all(list::is_terminated);
        let agrees = !elements.is_empty()
            && (is_whole && same_client)
            && element.https.map_or(proto.is_none(), |said| said == https)
            && element.host == public;
        Self { client, https, host: public, nodes, agrees, ..self }
    }

    /// Returns the scheme by which the peer has requested this proxy.
    pub(super) const fn scheme_here(&self) -> Scheme {
        if self.peer.is_secure { Scheme::Https } else { Scheme::Http }
    }

    /// Returns true if the peer is a trusted proxy.
    pub(crate) const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Writes `X-Forwarded-*` and `Forwarded` for the origin, with this hop, which was asked for
    /// `host`. A list that the request has is extended; one that it lacks begins with the client.
    pub(crate) fn write_to(&self, head: &mut HeadWriter<'_>, fields: &Fields, host: &str) {
        let lines = |id| fields.all(id).filter(|value| self.trusted && !value.is_empty());
        let peer = AddressText::of(self.peer.address);
        let push_peer = |out: &mut Vec<u8>| push(out, peer.as_str());
        if fields.has(Name::XForwardedFor) {
            head.list("X-Forwarded-For", lines(Name::XForwardedFor), push_peer);
        } else {
            let nodes: Vec<_> = self.nodes.iter().map(|&node| AddressText::of(node)).collect();
            let nodes = nodes.iter().map(|node| node.as_str().as_bytes());
            head.list("X-Forwarded-For", nodes, push_peer);
        }
        let scheme = if self.https { Scheme::Https } else { Scheme::Http };
        let public = self.host.map_or(Cow::Borrowed(host), |host| Cow::Owned(text_of(&host)));
        let port = public.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port: u16 = port.unwrap_or(scheme.default_port());
        head.field("X-Forwarded-Proto", scheme.name().as_bytes());
        head.field("X-Forwarded-Host", public.as_bytes());
        head.number("X-Forwarded-Port", port.into());

        let of_client = |node| Said { node, asked: Some((&public, scheme.name())) };
        let element = match self.nodes.is_empty() {
            true => of_client(self.peer.address),
            false => {
                let asked = Some((host, self.scheme_here().name()));
                Said { node: self.peer.address, asked }
            }
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

/// Returns the addresses from the last one on that is not a trusted proxy's; if all are, those that
/// follow the last unreadable one.
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

/// The readable parameters of an element of `Forwarded` (RFC 7239 §4).
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

    /// Reads a parameter, unless one of the same name was read before.
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

/// Returns a token, or the content of a quoted string without escapes.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(text) => (!text.contains(&b'\\')).then_some(text),
        None => list::is_token(value).then_some(value),
    }
}

/// Parses an address; a port after it, which many proxies write, is ignored.
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

/// An element of `Forwarded` to write (RFC 7239 §4).
struct Said<'a> {
    /// The node that sent the request to a hop.
    node: IpAddr,
    /// The host and scheme it requested, if known.
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

    fn settings(trusted: &[&str]) -> Settings {
        let mut settings = Settings::forward("gate");
        settings.trusted_proxies = trusted.iter().map(|text| text.parse().unwrap()).collect();
        settings
    }

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    const PEER: &str = "10.0.0.1";

    fn peer() -> Peer {
        Peer { address: PEER.parse().unwrap(), is_secure: false }
    }

    fn behind(trusted: &[&str], lines: &[(&str, &str)]) -> String {
        let fields = fields(lines);
        Behind::of(peer(), &fields, &settings(trusted), true).client.to_string()
    }

    /// Returns the fields that the origin gets if a trusted peer sends `lines`.
    fn told(lines: &[(&str, &str)]) -> Vec<String> {
        let (fields, mut out) = (fields(lines), Vec::new());
        let behind = Behind::of(peer(), &fields, &settings(&["10.0.0.0/24"]), true);
        behind.write_to(&mut HeadWriter::resume(&mut out), &fields, "h.test");
        let text = String::from_utf8(out).unwrap();
        let value = |line: &str| line.split_once(": ").unwrap().1.to_owned();
        text.lines().map(value).collect()
    }

    #[test]
    fn client_is_the_last_untrusted_address() {
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
            assert_eq!(behind(&[], lines), "10.0.0.1", "{lines:?}: no proxy is trusted");
        }
    }

    #[test]
    fn both_forms_name_the_same_client_scheme_and_host() {
        for (lines, expected) in [
            (&[][..], [PEER, "http", "h.test", "80", "for=10.0.0.1;host=\"h.test\";proto=http"]),
            (
                &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")],
                [
                    "192.0.2.1, 10.0.0.1",
                    "https",
                    "h.test",
                    "443",
                    "for=192.0.2.1;host=\"h.test\";proto=https, for=10.0.0.1;host=\"h.test\";proto=http",
                ],
            ),
            (
                &[
                    ("X-Forwarded-For", "bad, 2001:db8::1, 10.0.0.2"),
                    ("X-Forwarded-Host", "W.test:81, x"),
                    ("X-Forwarded-Port", "443"),
                ],
                [
                    "bad, 2001:db8::1, 10.0.0.2, 10.0.0.1",
                    "http",
                    "W.test:81",
                    "81",
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
                    "443",
                    "for=192.0.2.1;proto=HTTPS;host=\"w.test\";by=_a, for=10.0.0.2, \
                     for=10.0.0.1;host=\"h.test\";proto=http",
                ],
            ),
            (
                &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "w.test")],
                [PEER, "https", "w.test", "443", "for=10.0.0.1;host=\"w.test\";proto=https"],
            ),
        ] {
            assert_eq!(told(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn port_is_that_of_the_public_host_or_of_its_scheme() {
        for (secure, host, lines, expected) in [
            (true, "h.test", &[][..], ["https", "h.test", "443"]),
            (true, "h.test:80", &[], ["https", "h.test:80", "80"]),
            (false, "[2001:db8::1]:8080", &[], ["http", "[2001:db8::1]:8080", "8080"]),
            (false, "[2001:db8::1]", &[], ["http", "[2001:db8::1]", "80"]),
            (false, "h.test", &[("X-Forwarded-Proto", "https")], ["https", "h.test", "443"]),
            (true, "h.test", &[("X-Forwarded-Proto", "http")], ["http", "h.test", "80"]),
            (false, "h.test", &[("X-Forwarded-Port", "8443")], ["http", "h.test", "80"]),
            (
                false,
                "h.test",
                &[("Forwarded", "for=192.0.2.1;proto=https;host=\"w.test:8443\"")],
                ["https", "w.test:8443", "8443"],
            ),
        ] {
            let (fields, mut out) = (fields(lines), Vec::new());
            let front = Peer { is_secure: secure, ..peer() };
            let behind = Behind::of(front, &fields, &settings(&["10.0.0.0/24"]), true);
            behind.write_to(&mut HeadWriter::resume(&mut out), &fields, host);
            let text = String::from_utf8(out).unwrap();
            let [scheme, public, port] = expected;
            for line in [
                format!("X-Forwarded-Proto: {scheme}\r\n"),
                format!("X-Forwarded-Host: {public}\r\n"),
                format!("X-Forwarded-Port: {port}\r\n"),
            ] {
                assert!(text.contains(&line), "{line} is missing in {text}");
            }
            let forwarded = text.lines().find(|line| line.starts_with("Forwarded: ")).unwrap();
            let client = forwarded.split(", ").next().unwrap();
            let asked = [format!("host=\"{public}\""), format!("proto={scheme}")];
            assert!(asked.iter().all(|part| client.contains(part)), "{client}");
        }
    }

    #[test]
    fn forwarded_that_disagrees_or_is_unterminated_is_replaced() {
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
            assert_eq!(told(&[list, ("Forwarded", forwarded)])[4], expected, "{forwarded}");
        }
        let https = [list, ("X-Forwarded-Proto", "https"), ("Forwarded", "for=192.0.2.1")];
        let expected = format!("for=192.0.2.1;host=\"h.test\";proto=https, {element}");
        assert_eq!(told(&https)[4], expected, "proto is missing");
    }
}
