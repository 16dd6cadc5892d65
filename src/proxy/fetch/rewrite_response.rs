//! Response heads as they are forwarded and stored: without hop-by-hop fields, with the fields that
//! this proxy adds.

use crate::cache;
use crate::http::hop::{self, ConnectionOptions};
use crate::http::{
    Field, FieldNames, Fields, HeadWriter, Mapping, Name, ResponseHead, Status, date, push_via,
};
use crate::proxy::settings::Settings;
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
    let mapping = mapping_of(request);
    // An origin that received no credentials, because this proxy verified them, cannot comment on
    // them.
    let own_users = request.route.site().is_some_and(|site| site.has_users);
    let without_info = own_users && !request.head.fields().has(Name::Authorization);
    let (fields, status) = (response.fields(), response.status());
    let drops_cookies = request.drops_cookies();
    let hop = ConnectionOptions::of(response.version(), fields);
    let mut start_line = Vec::with_capacity(response.wire_length() + 128);
    HeadWriter::response(&mut start_line, status, response.reason());
    let mut out = Fields::after(start_line, fields.len() + 2);
    for field in fields.iter() {
        match field.id {
            Name::ContentLength if status.code() == 204 || status.is_interim() => {}
            Name::Other if without_info && field.is_named(b"Authentication-Info") => {}
            _ if hop.is_hop_by_hop(&field) => {}
            Name::SetCookie if drops_cookies => {}
            _ => match mapping.as_ref().and_then(|mapping| mapped(&field, mapping)) {
                Some(value) => out.copy(Field { value: &value, ..field }),
                None => out.copy(field),
            },
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
    if request.route.application().is_none() {
        let mut via = Vec::with_capacity(settings.via.len() + 4);
        push_via(&mut via, response.version(), &settings.via);
        out.push(b"Via", &via);
    }
    if !request.is_reverse() && hop::asks_to_authenticate_connection(fields) {
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

/// Returns the mapping of the fields in which the origin names itself. `None` in a forward proxy, and
/// for a request of the proxy itself.
pub(super) fn mapping_of(request: &FetchRequest) -> Option<Mapping<'_>> {
    let (route, origin) = (&request.route, request.origin.as_ref()?);
    let forward = route.site()?.forward()?;
    Some(Mapping {
        origin_scheme: origin.key.scheme,
        origin_authority: &origin.authority,
        origin_prefix: &forward.origin_prefix,
        public_scheme: route.scheme(),
        public_authority: route.authority(),
        host_field: request.host_field(),
        public_prefix: &forward.public_prefix,
    })
}

/// Returns the value of a field as clients of a reverse proxy see it, if it differs from the origin's.
fn mapped(field: &Field<'_>, mapping: &Mapping<'_>) -> Option<Vec<u8>> {
    match field.id {
        Name::Location | Name::ContentLocation => mapping.location(field.value),
        Name::Link => mapping.link(field.value),
        Name::Refresh => mapping.refresh(field.value),
        Name::SetCookie => mapping.set_cookie(field.value),
        _ => None,
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
}
