//! Heads as they are passed on: without what concerned the last connection, with what this hop adds.

use std::sync::Arc;

use crate::cache::{self, Object};
use crate::http::hop::{self, Hop, Protocol, max_forwards};
use crate::http::{
    Field, FieldNames, Fields, Framing, HeadWriter, Method, Name, RequestHead, ResponseHead,
    Status, Version, claims, date, push_via,
};
use crate::proxy::routing::client_address::Behind;
use crate::proxy::settings::Settings;
use crate::proxy::settings::origin::ReverseOrigin;
use crate::time::Now;

use super::state::Order;

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
    let behind = Behind::of(order.client.ip(), fields, settings);
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
            Name::ContentLength => {
                head.number("Content-Length", request.framing().length().unwrap_or_default());
            }
            Name::MaxForwards => forward_limit(&mut head, request, &field),
            // HTTP/1.0 knows no expectations; one is ignored, not passed on.
            Name::Expect if request.version() == Version::Http10 || order.old_origin => {}
            Name::Trailer if order.gathered.is_some() => {}
            Name::IfNoneMatch | Name::IfModifiedSince if ours => {}
            Name::Range | Name::IfRange if whole => {}
            // A reverse proxy writes them anew, from what is believed of them.
            Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedProto
            | Name::Forwarded => {}
            Name::Other if !may_say(&field, request.method(), &behind, settings) => {}
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
        behind.write_to(&mut head, fields, route.host_field());
    }
    head.via(request.version(), &settings.via);
    match order.gathered {
        Some(length) => _ = head.number("Content-Length", length),
        None if request.framing() == Framing::Chunked => {
            head.field("Transfer-Encoding", b"chunked");
        }
        None => {}
    }
    if let Some(protocol) = upgrade_of(request, settings) {
        head.field("Connection", b"Upgrade").field("Upgrade", protocol.as_bytes());
    } else if hop::takes_trailers(request.version(), fields) && !order.old_origin {
        head.field("Connection", b"TE").field("TE", b"trailers");
    }
    head.end();
}

/// Returns true if a field of a request reaches the origin as far as what it claims is concerned.
/// Applications believe such fields, and caches do not know by which of them a response was selected, so
/// that only those of trusted proxies pass.
fn may_say(field: &Field<'_>, method: Method, behind: &Behind<'_>, settings: &Settings) -> bool {
    let name = field.name;
    if claims::is_httpoxy(name) || claims::is_lookalike(name) {
        return false;
    }
    // A path that no rule has judged.
    if settings.protects_paths() && claims::is_other_target(name) {
        return false;
    }
    let retrieves = matches!(method, Method::Get | Method::Head);
    let claims = claims::is_claim(name) || (retrieves && claims::overrides_method(name));
    behind.is_trusted() || !claims
}

/// Returns the protocol that `request` asks to switch to, if that is passed on: WebSocket, which is asked
/// for with GET and without content (RFC 6455 §4.1), or one that the operator allows.
pub(crate) fn upgrade_of<'a>(request: &RequestHead, settings: &'a Settings) -> Option<&'a str> {
    let asked = hop::upgrade(request.version(), request.fields())?;
    let plain = request.method() == Method::Get && !request.framing().has_content();
    if asked.eq_ignore_ascii_case(b"websocket") {
        return plain.then_some("websocket");
    }
    let allowed = settings.upgrades.iter().find(|protocol| protocol.is_named(asked));
    allowed.map(Protocol::as_str)
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
            _ => out.copy(field),
        }
    }
    if response.is_coded() {
        // A coding that this proxy cannot undo ends with the connection, here as there.
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
        // Without, clients do not use such schemes through a proxy (RFC 4559 §6).
        out.push(b"Proxy-Support", b"Session-Based-Authentication");
        out.push(b"Connection", b"Proxy-Support");
    }
    out
}

/// Returns true if a response was selected by what this hop writes of its own: `TE`, and on the way to
/// the origin of a reverse proxy what is said of its clients.
pub(super) fn varies_by_hop(fields: &Fields, settings: &Settings) -> bool {
    let reverse = settings.reverse.is_some();
    fields.elements(Name::Vary).any(|name| {
        Name::from_bytes(name) == Name::Te
            || (reverse && (claims::is_claim(name) || claims::is_lookalike(name)))
    })
}

/// The head that the whole would have had, from that of a part of it (RFC 9111 §3.4).
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

/// The same head to be stored: an `Age` that came with it is part of its age from then on, and its
/// length is known.
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

/// The stored head after a 304: what it brought replaces what was there (RFC 9111 §3.2).
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
    use crate::work;

    /// A head at the limits: `Cache-Control` that names as many fields as fit into so many lines, and
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
    fn heads_are_stored_and_updated_in_few_steps() {
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
    fn newer_fields_replace_older_ones_in_any_case() {
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
        assert_eq!(updated_fields(&stored, &newer).len(), 5, "what is withheld is not stored");
    }

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
