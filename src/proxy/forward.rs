//! Heads as they are passed on: without what concerned the last connection, with what this hop adds.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cache::{self, Object};
use crate::http::hop::{self, Hop};
use crate::http::{
    Field, Fields, Framing, HeadWriter, Method, Name, RequestHead, ResponseHead, Status, Version,
    date,
};
use crate::time::Now;

use super::fetch::Order;
use super::route::{Route, max_forwards};
use super::settings::{ReverseOrigin, Settings};

/// Writes the head of a request to an origin. What the cache wants to know of the whole is asked
/// without the client's own conditions and ranges.
pub(super) fn request_head(out: &mut Vec<u8>, order: &Order, settings: &Settings) {
    let Order { request, route, validate, fill, .. } = order;
    let ours = order.background || !validate.is_empty() || fill.is_some();
    // A part is asked for again as such: the whole may be large.
    let whole = ours && validate.first().is_none_or(|object| object.content.is_whole());
    let fields = request.fields();
    let hop = Hop::of(request.version(), fields);
    let reverse = settings.reverse.is_some();
    out.reserve(request.wire_length() + 256);
    let mut head = HeadWriter::request(out, request.method_name(), route.target());
    if !fields.has(Name::Host) {
        head.field("Host", route.host_field().as_bytes());
    }
    for field in fields.iter() {
        match field.id {
            Name::Host => {
                head.field("Host", route.host_field().as_bytes());
            }
            Name::MaxForwards => forward_limit(&mut head, request, &field),
            // HTTP/1.0 knows no expectations; one is ignored, not passed on.
            Name::Expect if request.version() == Version::Http10 => {}
            Name::IfNoneMatch | Name::IfModifiedSince if ours => {}
            Name::Range | Name::IfRange if whole => {}
            name if reverse && tells_of_client(name) => {}
            Name::Other if reverse && hop::is_lookalike(&field) => {}
            // A path that nobody has judged.
            Name::Other if settings.protects_paths() && hop::is_other_target(&field) => {}
            _ if hop.ends_here(&field) => {}
            _ => {
                head.copy(&field);
            }
        }
    }
    if let Some(fill) = fill {
        head.field("Range", fill.range().as_bytes());
        fill.object().into_iter().for_each(|object| only_of_the_same(&mut head, object));
    }
    ask_whether_still_valid(&mut head, validate);
    if reverse {
        forwarded(&mut head, fields, order.client.ip(), route, settings);
    }
    head.via(request.version(), &settings.via);
    if request.framing() == Framing::Chunked {
        head.field("Transfer-Encoding", b"chunked");
    }
    if asks_for_websocket(request) {
        head.field("Connection", b"Upgrade").field("Upgrade", b"websocket");
    }
    head.end();
}

/// Whether a request asks to switch to WebSocket, the one upgrade that is passed on (RFC 6455 §4.1).
pub(super) fn asks_for_websocket(request: &RequestHead) -> bool {
    request.method() == Method::Get
        && request.version() == Version::Http11
        && request.framing() == Framing::None
        && hop::is_websocket(request.fields())
        && Hop::of(request.version(), request.fields()).upgrade
}

/// RFC 9110 §7.6.2: one less on TRACE and OPTIONS; on other methods it is passed on as it came.
fn forward_limit(head: &mut HeadWriter<'_>, request: &RequestHead, field: &Field<'_>) {
    let limited = matches!(request.method(), Method::Options | Method::Trace);
    match max_forwards(request) {
        Some(hops) if limited => {
            head.number("Max-Forwards", hops.saturating_sub(1));
        }
        _ => {
            head.copy(field);
        }
    }
}

/// RFC 9111 §4.3.1: by the validators that were stored. A date could be that of any of several.
fn ask_whether_still_valid(head: &mut HeadWriter<'_>, stored: &[Arc<Object>]) {
    let mut tags: Vec<&[u8]> = Vec::new();
    for tag in stored.iter().filter_map(|object| object.head.only(Name::ETag)) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() {
        head.field("If-None-Match", &tags.join(&b", "[..]));
    }
    if let [object] = stored
        && let Some(modified) = object.head.only(Name::LastModified)
    {
        head.field("If-Modified-Since", modified);
    }
}

/// RFC 9110 §13.1.5: a part of what is stored already, and of nothing else.
fn only_of_the_same(head: &mut HeadWriter<'_>, object: &Object) {
    let validator = [Name::ETag, Name::LastModified].map(|name| object.head.only(name));
    if let Some(validator) = validator.into_iter().flatten().next() {
        head.field("If-Range", validator);
    }
}

/// Tells the origin who asked. What the client itself says of that is believed and extended only
/// if it is a trusted proxy.
fn forwarded(
    head: &mut HeadWriter<'_>,
    fields: &Fields,
    client: IpAddr,
    route: &Route,
    settings: &Settings,
) {
    let trusted = settings.trusts(client);
    let client = client.to_canonical();
    let before = |id| fields.all(id).filter(|value| trusted && !value.is_empty());
    let host = route.host_field();
    head.list("X-Forwarded-For", before(Name::XForwardedFor), format_args!("{client}"));
    head.field("X-Forwarded-Proto", before(Name::XForwardedProto).next().unwrap_or(b"http"));
    let first_host = before(Name::XForwardedHost).next();
    head.field("X-Forwarded-Host", first_host.unwrap_or(host.as_bytes()));
    let forwarded = before(Name::Forwarded);
    match client {
        IpAddr::V4(v4) => {
            head.list("Forwarded", forwarded, format_args!("for={v4};host=\"{host}\";proto=http"))
        }
        // RFC 7239 §6
        IpAddr::V6(v6) => {
            let element = format_args!("for=\"[{v6}]\";host=\"{host}\";proto=http");
            head.list("Forwarded", forwarded, element)
        }
    };
}

/// A response's head as it is passed on and stored, without the empty line and without what each
/// answer has of its own: `Age` is kept as it came, for the answers that it came with.
pub(super) fn response_fields(
    response: &ResponseHead,
    order: &Order,
    settings: &Settings,
    now: Now,
) -> Fields {
    let route = &order.route;
    // Of credentials that have ended here, an origin that was shown none has nothing to say.
    let own_users = settings.reverse.is_some() && settings.auth.is_some();
    let without_info = own_users && !order.request.fields().has(Name::Authorization);
    let (fields, status) = (response.fields(), response.status());
    let hop = Hop::of(response.version(), fields);
    let mut start_line = Vec::with_capacity(response.wire_length() + 128);
    HeadWriter::response(&mut start_line, status, response.reason());
    let mut out = Fields::after(start_line, fields.len() + 2);
    for field in fields.iter() {
        match field.id {
            Name::ContentLength if status.code() == 204 || status.is_interim() => {}
            Name::Location | Name::ContentLocation if settings.reverse.is_some() => {
                let known_as = [route.authority(), route.host_field()];
                let origin = settings.reverse.as_ref();
                let value = origin.and_then(|origin| map_back(field.value, origin, known_as));
                out.push(field.name, value.as_deref().unwrap_or(field.value));
            }
            Name::Other if without_info && field.is_named(b"Authentication-Info") => {}
            _ if hop.ends_here(&field) => {}
            _ => out.push(field.name, field.value),
        }
    }
    if response.is_coded() {
        // A coding that this proxy cannot undo ends with the connection, here as there.
        fields
            .all(Name::TransferEncoding)
            .for_each(|coding| out.push(b"Transfer-Encoding", coding));
    }
    if !fields.has(Name::Date) && !status.is_interim() {
        out.push(b"Date", date::format(now.wall).as_bytes()); // RFC 9110 §6.6.1
    }
    let via = format!("{} {}", response.version().number(), settings.via);
    out.push(b"Via", via.as_bytes());
    if settings.reverse.is_none() && hop::asks_to_authenticate_connection(fields) {
        // Without, clients do not use such schemes through a proxy (RFC 4559 §6).
        out.push(b"Proxy-Support", b"Session-Based-Authentication");
        out.push(b"Connection", b"Proxy-Support");
    }
    out
}

/// Whether a response was selected by what this proxy itself says of its clients.
pub(super) fn varies_by_client(fields: &Fields) -> bool {
    fields.elements(Name::Vary).any(|name| tells_of_client(Name::from_bytes(name)))
}

const fn tells_of_client(name: Name) -> bool {
    matches!(
        name,
        Name::XForwardedFor | Name::XForwardedHost | Name::XForwardedProto | Name::Forwarded
    )
}

/// The head that the whole would have had, from that of a part of it (RFC 9111 §3.4).
pub(super) fn whole_fields(part: &Fields, length: u64) -> Fields {
    let mut start_line = Vec::new();
    HeadWriter::response(&mut start_line, Status::OK, Status::OK.reason().as_bytes());
    let mut out = Fields::after(start_line, part.len());
    let of_part = |id| matches!(id, Name::ContentRange | Name::ContentLength);
    for field in part.iter().filter(|field| !of_part(field.id)) {
        out.push(field.name, field.value);
    }
    out.push(b"Content-Length", length.to_string().as_bytes());
    out
}

/// The same head to be stored: an `Age` that came with it is part of its age from then on, and its
/// length is known.
pub(super) fn stored_fields(passed_on: &Fields, status: Status, length: u64) -> Fields {
    let mut out = Fields::after(passed_on.start_line().to_vec(), passed_on.len() + 1);
    for field in passed_on.iter().filter(|field| field.id != Name::Age) {
        if !cache::withheld(passed_on).any(|name| field.is_named(name)) {
            out.push(field.name, field.value);
        }
    }
    if !out.has(Name::ContentLength) && status.code() != 204 {
        out.push(b"Content-Length", length.to_string().as_bytes());
    }
    out.shrink();
    out
}

/// The stored head after a 304: what it brought replaces what was there (RFC 9111 §3.2).
pub(super) fn updated_fields(stored: &Object, not_modified: &Fields) -> Fields {
    let mut out = Fields::after(stored.head.start_line().to_vec(), stored.head.len());
    let kept = |id| matches!(id, Name::ContentLength | Name::ContentEncoding | Name::ContentRange);
    for field in stored.head.iter() {
        if kept(field.id) || not_modified.all_named(field.name).next().is_none() {
            out.push(field.name, field.value);
        }
    }
    for field in not_modified.iter().filter(|field| !kept(field.id) && field.id != Name::Age) {
        if !cache::withheld(not_modified).any(|name| field.is_named(name)) {
            out.push(field.name, field.value);
        }
    }
    out.shrink();
    out
}

/// The location that a client knows for one that the origin named: a URL of the origin, or a path,
/// below the prefix; the origin may also use a name that it is `known_as` to the client. `None` if
/// it is to be left as it is.
fn map_back(location: &[u8], origin: &ReverseOrigin, known_as: [&str; 2]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(location).ok()?;
    let path = match text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")) {
        Some(_) => {
            let rest = &text[7..];
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            let ours = |ours: &str| ours.eq_ignore_ascii_case(authority);
            (ours(&origin.authority) || known_as.into_iter().any(ours)).then_some(path)?
        }
        None if text.starts_with('/') && !text.starts_with("//") => text,
        None => return None,
    };
    let below = path.strip_prefix(origin.prefix.as_str())?;
    match below.as_bytes() {
        [] => Some(b"/".to_vec()),
        // What begins with two of them names a host (RFC 3986 §4.2), also with a backslash for one.
        [b'/', b'/' | b'\\', ..] => Some(["/.", below].concat().into_bytes()),
        [b'/', ..] => Some(below.as_bytes().to_vec()),
        [b'?' | b'#', ..] => Some(["/", below].concat().into_bytes()),
        _ => None, // another path that only begins like the prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_below_the_prefix_are_mapped_back() {
        let origin = ReverseOrigin::parse("http://app.test:81/base").unwrap();
        let mapped = |location: &str| {
            let mapped = map_back(location.as_bytes(), &origin, ["www.test", "www.test:80"]);
            mapped.map(|value| String::from_utf8(value).unwrap())
        };
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
        ] {
            assert_eq!(mapped(left), None, "{left}");
        }
    }
}
