//! Response heads as they are forwarded and stored: without hop-by-hop fields, with the fields that
//! this proxy adds.

use crate::cache;
use crate::http::hop::{self, ConnectionOptions};
use crate::http::{
    FieldNames, Fields, HeadWriter, Name, ResponseHead, Scheme, Status, date, push_via,
};
use crate::proxy::settings::Settings;
use crate::proxy::settings::origin::ReverseOrigin;
use crate::time::Now;

use super::request::FetchRequest;

/// Returns the head of a response as it is forwarded, without the empty line and without fields that
/// are computed for each client. `Age` is kept as received, for the clients of this fetch.
pub(super) fn response_fields(
    response: &ResponseHead,
    request: &FetchRequest,
    settings: &Settings,
    now: Now,
) -> Fields {
    let route = &request.route;
    // An origin that received no credentials, because this proxy verified them, cannot comment on
    // them.
    let own_users = settings.reverse.is_some() && settings.auth.is_some();
    let without_info = own_users && !request.head.fields().has(Name::Authorization);
    let (fields, status) = (response.fields(), response.status());
    let hop = ConnectionOptions::of(response.version(), fields);
    let mut start_line = Vec::with_capacity(response.wire_length() + 128);
    HeadWriter::response(&mut start_line, status, response.reason());
    let mut out = Fields::after(start_line, fields.len() + 2);
    for field in fields.iter() {
        match field.id {
            Name::ContentLength if status.code() == 204 || status.is_interim() => {}
            Name::Location | Name::ContentLocation
                if settings.reverse.is_some() && !request.is_own =>
            {
                let known_as = Names {
                    scheme: route.scheme(),
                    authorities: [route.authority(), route.host_field()],
                };
                let origin = settings.reverse.as_ref();
                let value = origin.and_then(|origin| map_back(field.value, origin, &known_as));
                out.push(field.name, value.as_deref().unwrap_or(field.value));
            }
            Name::Other if without_info && field.is_named(b"Authentication-Info") => {}
            _ if hop.is_hop_by_hop(&field) => {}
            _ => out.copy(field),
        }
    }
    if response.is_coded() {
        // Content in a coding that this proxy cannot decode ends with the connection, for the
        // client as for the proxy.
        fields
            .all(Name::TransferEncoding)
            .for_each(|coding| out.push(b"Transfer-Encoding", coding));
    }
    if !out.has(Name::Date) && !status.is_interim() {
        out.push(b"Date", date::format(now.wall).as_bytes()); // RFC 9110 §6.6.1
    }
    let mut via = Vec::with_capacity(settings.via.len() + 4);
    push_via(&mut via, response.version(), &settings.via);
    out.push(b"Via", &via);
    if settings.reverse.is_none() && hop::asks_to_authenticate_connection(fields) {
        // Clients use such schemes through a proxy only if the proxy declares support (RFC 4559 §6).
        out.push(b"Proxy-Support", b"Session-Based-Authentication");
        out.push(b"Connection", b"Proxy-Support");
    }
    out
}

/// Returns the head of the whole representation, from the head of a part of it (RFC 9111 §3.4).
pub(super) fn whole_fields(part: &Fields, length: u64) -> Fields {
    let mut start_line = Vec::new();
    HeadWriter::response(&mut start_line, Status::OK, Status::OK.reason().as_bytes());
    let mut out = Fields::after(start_line, part.len());
    let of_part = |id| matches!(id, Name::ContentRange | Name::ContentLength);
    for field in part.iter().filter(|field| !of_part(field.id)) {
        out.copy(field);
    }
    out.push(b"Content-Length", length.to_string().as_bytes());
    out
}

/// Returns a forwarded head as it is stored: without `Age`, which is included in the computed age
/// from then on, and with the length of the content.
pub(super) fn stored_fields(passed_on: &Fields, status: Status, length: u64) -> Fields {
    let mut out = Fields::after(passed_on.start_line().to_vec(), passed_on.len() + 1);
    let withheld = cache::withheld(passed_on);
    for field in passed_on.iter().filter(|field| field.id != Name::Age) {
        if !withheld.contains(field.name) {
            out.copy(field);
        }
    }
    if !out.has(Name::ContentLength) && status.code() != 204 {
        out.push(b"Content-Length", length.to_string().as_bytes());
    }
    out.shrink();
    out
}

/// Returns a stored head with the fields of a 304, which replace stored fields of the same names
/// (RFC 9111 §3.2).
pub(super) fn updated_fields(stored: &Fields, not_modified: &Fields) -> Fields {
    let mut out = Fields::after(stored.start_line().to_vec(), stored.len());
    let withheld = cache::withheld(not_modified);
    let brought: FieldNames<'_> = not_modified.iter().map(|field| field.name).collect();
    let kept = |id| matches!(id, Name::ContentLength | Name::ContentEncoding | Name::ContentRange);
    for field in stored.iter() {
        if kept(field.id) || !brought.contains(field.name) {
            out.copy(field);
        }
    }
    for field in not_modified.iter().filter(|field| !kept(field.id) && field.id != Name::Age) {
        if !withheld.contains(field.name) {
            out.copy(field);
        }
    }
    out.shrink();
    out
}

/// Names of the origin that clients know.
struct Names<'a> {
    /// Scheme by which the client has asked.
    scheme: Scheme,
    authorities: [&'a str; 2],
}

impl Names<'_> {
    /// Returns true if a URL with `scheme` and `authority` leads to what the client has asked. An origin
    /// that is asked without TLS may not know that clients use it. One that names `https` to a client
    /// without TLS wants the client to use it.
    fn include(&self, scheme: Scheme, authority: &str, origin: &ReverseOrigin) -> bool {
        let is_known =
            scheme == self.scheme || (scheme, origin.scheme) == (Scheme::Http, Scheme::Http);
        is_known && self.authorities.iter().any(|name| is_authority(authority, name, scheme))
    }
}

/// Returns true if an authority in a URL with `scheme` is `known`, in any case and with or without the
/// default port.
fn is_authority(authority: &str, known: &str, scheme: Scheme) -> bool {
    let port = format!(":{}", scheme.default_port());
    let bare = |text: &'_ str| text.strip_suffix(&*port).unwrap_or(text).to_ascii_lowercase();
    bare(authority) == bare(known)
}

/// Returns the path below the reverse proxy that corresponds to a location: a URL of the origin, or
/// a path, below the origin's prefix. The URL may also use a name of the origin that clients know.
/// Returns `None` if the location is forwarded unchanged.
fn map_back(location: &[u8], origin: &ReverseOrigin, known_as: &Names<'_>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(location).ok()?;
    let absolute = text.split_once("://");
    let absolute = absolute.and_then(|(name, rest)| Some((Scheme::named(name)?, rest)));
    let path = match absolute {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            let is_origin =
                scheme == origin.scheme && is_authority(authority, &origin.authority, scheme);
            (is_origin || known_as.include(scheme, authority, origin)).then_some(path)?
        }
        _ if text.starts_with('/') && !text.starts_with("//") => text,
        _ => return None,
    };
    let below = path.strip_prefix(origin.prefix.as_str())?;
    match below.as_bytes() {
        [] => Some(b"/".to_vec()),
        // A path that starts with two slashes would name a host (RFC 3986 §4.2). Browsers take a
        // backslash for a slash.
        [b'/', b'/' | b'\\', ..] => Some(["/.", below].concat().into_bytes()),
        [b'/', ..] => Some(below.as_bytes().to_vec()),
        [b'?' | b'#', ..] => Some(["/", below].concat().into_bytes()),
        _ => None, // the prefix ends within a segment of the path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work;

    /// Returns a head at the limits: `Cache-Control` lines that name as many fields as fit, and
    /// fields with long names that differ in their last letters.
    fn hostile(directive: &str, lines: usize, name: &str) -> Fields {
        let mut fields = Fields::default();
        for line in 0..lines {
            let names: String = (0..1500).map(|n| format!("{line}{n},")).collect();
            fields.push(b"Cache-Control", format!("{directive}=\"{names}\"").as_bytes());
        }
        for n in 0..100 {
            let name = format!("{}{n:03}", name.repeat(100));
            fields.push(name.as_bytes(), b"x");
        }
        fields
    }

    #[test]
    fn storing_and_updating_heads_takes_few_steps() {
        for directive in ["private", "no-cache", "other"] {
            for other in ["a", "A", "b"] {
                let (stored, newer) = (hostile(directive, 1, "a"), hostile(directive, 4, other));
                let before = work::counted();
                stored_fields(&newer, Status::OK, 1);
                updated_fields(&stored, &newer);
                let steps = work::counted() - before;
                assert!(steps < 1_000_000, "{directive}, {other}: {steps} steps");
            }
        }
    }

    #[test]
    fn newer_fields_replace_older_ones_in_any_case_of_letters() {
        let fields = |lines: &[(&str, &str)]| {
            let mut fields = Fields::default();
            lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
            fields
        };
        let stored = fields(&[("A", "1"), ("B", "1"), ("Content-Length", "9"), ("C", "1")]);
        let newer =
            fields(&[("b", "2"), ("Content-Length", "0"), ("Age", "5"), ("D", "2"), ("b", "3")]);
        let expected = fields(&[
            ("A", "1"),
            ("Content-Length", "9"),
            ("C", "1"),
            ("b", "2"),
            ("D", "2"),
            ("b", "3"),
        ]);
        assert_eq!(updated_fields(&stored, &newer).wire(), expected.wire());
        let newer = fields(&[("Cache-Control", "private=\"set-cookie\""), ("Set-Cookie", "a=b")]);
        assert_eq!(updated_fields(&stored, &newer).len(), 5, "withheld fields are not stored");
    }

    #[test]
    fn locations_below_the_prefix_become_paths_of_the_proxy() {
        let origin = ReverseOrigin::parse("http://app.test:81/base").unwrap();
        let mapped = |location| mapped(location, &origin, Scheme::Http);
        assert_eq!(mapped("http://app.test:81/base/y?z").as_deref(), Some("/y?z"));
        assert_eq!(mapped("http://WWW.test/base").as_deref(), Some("/"));
        assert_eq!(mapped("/base/y").as_deref(), Some("/y"));
        assert_eq!(mapped("/base?q").as_deref(), Some("/?q"));
        assert_eq!(mapped("/base//other.test/").as_deref(), Some("/.//other.test/"));
        assert_eq!(mapped("/base/\\other.test/").as_deref(), Some("/./\\other.test/"));
        for left in [
            "/based",
            "http://other.test/base/y",
            "y",
            "//app.test:81/base/",
            "https://app.test:81/base/",
            "/base-http://app.test:81/base/",
        ] {
            assert_eq!(mapped(left), None, "{left}");
        }
    }

    fn mapped(location: &str, origin: &ReverseOrigin, scheme: Scheme) -> Option<String> {
        let known_as = Names { scheme, authorities: ["www.test", "www.test:80"] };
        let mapped = map_back(location.as_bytes(), origin, &known_as);
        mapped.map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn locations_with_tls_are_those_of_the_origin_or_of_the_client() {
        let secure = ReverseOrigin::parse("https://app.test/base").unwrap();
        let plain = ReverseOrigin::parse("http://app.test/base").unwrap();
        for (location, origin, client, expected) in [
            ("https://app.test/base/y", &secure, Scheme::Http, true),
            ("https://app.test:443/base/y", &secure, Scheme::Https, true),
            ("http://app.test/base/y", &secure, Scheme::Https, false),
            ("https://www.test/base/y", &secure, Scheme::Https, true),
            ("https://www.test/base/y", &plain, Scheme::Https, true),
            ("http://www.test/base/y", &plain, Scheme::Https, true),
            // Mapped, a redirection to https would lead to itself.
            ("https://www.test/base/y", &secure, Scheme::Http, false),
            ("https://www.test/base/y", &plain, Scheme::Http, false),
            // The origin sends the client away from TLS.
            ("http://www.test/base/y", &secure, Scheme::Https, false),
        ] {
            let found = mapped(location, origin, client);
            assert_eq!(found.as_deref(), expected.then_some("/y"), "{location} for {client:?}");
        }
    }
}
