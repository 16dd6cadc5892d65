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
                let known_as = [route.authority(), route.host_field()];
                let origin = settings.reverse.as_ref();
                let value = origin
                    .and_then(|origin| map_back(field.value, origin, known_as, route.scheme()));
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

/// Returns the path below the reverse proxy that corresponds to a location: a URL of the origin, or
/// a path, below the origin's prefix. The URL may also use a name of the origin that clients know,
/// one of `known_as`, and the scheme that the client has `asked` for. Returns `None` if the location is
/// forwarded unchanged.
fn map_back(
    location: &[u8],
    origin: &ReverseOrigin,
    known_as: [&str; 2],
    asked: Scheme,
) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(location).ok()?;
    let path = match text.split_once("://") {
        Some((scheme, rest)) => {
            let scheme = Scheme::named(scheme)?;
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            let is = |name: &str| name.eq_ignore_ascii_case(authority);
            let is_origin = scheme == origin.scheme && is(&origin.authority);
            // A client with http is left the way to https, but not the other way round.
            let is_public = scheme == asked || scheme == Scheme::Http;
            (is_origin || is_public && known_as.into_iter().any(is)).then_some(path)?
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
        let mapped = |location: &str| {
            let mapped =
                map_back(location.as_bytes(), &origin, ["www.test", "www.test:80"], Scheme::Http);
            mapped.map(|value| String::from_utf8(value).unwrap())
        };
        assert_eq!(mapped("http://app.test:81/base/y?z").as_deref(), Some("/y?z"));
        assert_eq!(mapped("http://WWW.test/base").as_deref(), Some("/"));
        assert_eq!(mapped("/base/y").as_deref(), Some("/y"));
        assert_eq!(mapped("/base?q").as_deref(), Some("/?q"));
        assert_eq!(mapped("/base//other.test/").as_deref(), Some("/.//other.test/"));
        assert_eq!(mapped("/base/\\other.test/").as_deref(), Some("/./\\other.test/"));
        let secure = ReverseOrigin::parse("https://app.test/").unwrap();
        let mapped_to = |location: &str, asked| {
            map_back(location.as_bytes(), &secure, ["www.test"; 2], asked).is_some()
        };
        for (location, by_http, by_https) in [
            ("HTTPS://app.test/y", true, true),
            ("http://app.test/y", false, false),
            ("https://www.test/y", false, true),
            ("http://www.test/y", true, true),
        ] {
            assert_eq!(mapped_to(location, Scheme::Http), by_http, "{location}");
            assert_eq!(mapped_to(location, Scheme::Https), by_https, "{location}");
        }
        for left in [
            "/based",
            "http://other.test/base/y",
            "y",
            "//app.test:81/base/",
            "https://app.test:81/base/",
        ] {
            assert_eq!(mapped(left), None, "{left}");
        }
    }
}
