//! Request heads as they are forwarded, with the fields that this proxy adds.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::cache::Object;
use crate::http::hop::{self, ConnectionOptions, max_forwards};
use crate::http::{
    BodyLength, Field, Fields, HeadWriter, Method, Name, RequestHead, Version, claims,
};
use crate::proxy::address_text::AddressText;
use crate::proxy::auth::path_of;
use crate::proxy::observe::peer::Peer;
use crate::proxy::routing::client_address::Behind;
use crate::proxy::settings::Settings;
use crate::proxy::settings::sites::field_edit::FieldEdits;
use crate::proxy::settings::sites::template::Variable;
use crate::tls::PeerCertificate;

use super::request::FetchRequest;

/// Field with the identifier of a request.
const REQUEST_ID: &str = "X-Request-Id";

/// Writes the head of a request to an origin.
pub(super) fn request_head(out: &mut Vec<u8>, fetch: &FetchRequest, settings: &Settings) {
    let FetchRequest { head: request, route, .. } = fetch;
    let fields = request.fields();
    let peer = Peer { address: fetch.client.ip(), is_secure: fetch.is_secure };
    let behind = Behind::of(peer, fields, settings, fetch.is_reverse());
    out.reserve(request.wire_length() + 256);
    let mut head = HeadWriter::request(out, request.method_name(), route.target());
    write_fields(&mut head, fetch, &behind, settings);
    if fetch.is_reverse() {
        behind.write_to(&mut head, fields, route.asked());
        // The name of this hop is in a line of its own, which a malformed list before it cannot hide.
        head.field("CDN-Loop", settings.via.as_bytes());
    }
    head.via(request.version(), &settings.via);
    match fetch.gathered {
        Some(length) => _ = head.number("Content-Length", length),
        None if request.body_length() == BodyLength::Unknown => {
            head.field("Transfer-Encoding", b"chunked");
        }
        None => {}
    }
    if let Some(protocol) = &fetch.facts.upgrade {
        head.field("Connection", b"Upgrade").field("Upgrade", protocol.as_bytes());
    } else if hop::takes_trailers(request.version(), request.fields()) && !fetch.old_origin {
        head.field("Connection", b"TE").field("TE", b"trailers");
    }
    head.end();
}

/// Returns the head of a request for an application, which is no other hop. Its content is at hand.
pub(super) fn application_head(fetch: &FetchRequest, settings: &Settings) -> RequestHead {
    let FetchRequest { head: request, .. } = fetch;
    let peer = Peer { address: fetch.client.ip(), is_secure: fetch.is_secure };
    let behind = Behind::of(peer, request.fields(), settings, true);
    let start_line = request.fields().start_line();
    let mut out = Vec::with_capacity(request.wire_length() + 64);
    out.extend_from_slice(start_line);
    let mut head = HeadWriter::resume(&mut out);
    write_fields(&mut head, fetch, &behind, settings);
    if request.body_length() == BodyLength::Unknown {
        head.number("Content-Length", fetch.gathered.unwrap_or_default());
    }
    request.with_fields(Fields::written(out, start_line.len()))
}

/// Writes the fields that origins and applications get.
fn write_fields(
    head: &mut HeadWriter<'_>,
    fetch: &FetchRequest,
    behind: &Behind<'_>,
    settings: &Settings,
) {
    let FetchRequest { head: request, validate, fill, .. } = fetch;
    if !request.fields().has(Name::Host) {
        head.field("Host", fetch.host_field().as_bytes());
    }
    forward_fields(head, fetch, behind, settings);
    if let Some(fill) = fill {
        head.field("Range", fill.range().as_bytes());
        fill.object().into_iter().for_each(|object| only_of_the_same(head, object));
    }
    ask_whether_still_valid(head, validate);
    if fetch.is_reverse() {
        identify(fetch, head);
        certificate_of(fetch).into_iter().for_each(|certificate| tell(certificate, head));
    }
    add_fields(head, fetch, behind);
}

/// Tells the origin the identifier of the request, unless the route drops the field.
fn identify(fetch: &FetchRequest, head: &mut HeadWriter<'_>) {
    let is_dropped = edits_of(fetch).is_some_and(|edits| edits.drops_alike(REQUEST_ID.as_bytes()));
    if let Some(id) = fetch.id.as_ref().filter(|_| !is_dropped) {
        head.field(REQUEST_ID, id.to_string().as_bytes());
    }
}

/// Writes the fields of the client's request that are forwarded. A request for the cache, which
/// needs the whole representation, is sent without the client's own conditions and ranges.
fn forward_fields(
    head: &mut HeadWriter<'_>,
    fetch: &FetchRequest,
    behind: &Behind<'_>,
    settings: &Settings,
) {
    let FetchRequest { head: request, validate, fill, .. } = fetch;
    let ours = fetch.background || !validate.is_empty() || fill.is_some();
    // If a stored part is validated, the client's range is kept: the whole may be large.
    let whole = ours && validate.first().is_none_or(|object| object.content.is_whole());
    let hop = ConnectionOptions::of(request.version(), request.fields());
    let edits = edits_of(fetch);
    for field in request.fields().iter() {
        if edits.is_some_and(|edits| edits.drops_alike(field.name)) {
            continue;
        }
        match field.id {
            Name::Host => {
                head.field("Host", fetch.host_field().as_bytes());
            }
            Name::ContentLength => {
                head.number("Content-Length", request.body_length().known().unwrap_or_default());
            }
            Name::MaxForwards => forward_limit(head, request, &field),
            // HTTP/1.0 does not define expectations: the field is ignored and not forwarded.
            Name::Expect if request.version() == Version::Http10 || fetch.old_origin => {}
            Name::Trailer if fetch.gathered.is_some() => {}
            Name::IfNoneMatch | Name::IfModifiedSince if ours => {}
            Name::Range | Name::IfRange if whole => {}
            // A reverse proxy writes these fields anew, from the values that it trusts.
            Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedProto
            | Name::Forwarded => {}
            Name::Other if field.is_named(b"X-Forwarded-Port") => {}
            Name::Other if fetch.is_reverse() && field.is_named(REQUEST_ID.as_bytes()) => {}
            Name::Other
                if certificate_of(fetch).is_some() && claims::is_of_certificate(field.name) => {}
            Name::Other if !may_say(&field, request.method(), behind, settings) => {}
            _ if hop.is_hop_by_hop(&field) => {}
            _ => {
                head.copy(&field);
            }
        }
    }
}

/// Returns the edits of requests by the route of the site.
fn edits_of(fetch: &FetchRequest) -> Option<&FieldEdits> {
    Some(&fetch.route.site()?.route.policy.request_fields).filter(|edits| !edits.is_empty())
}

/// Writes the fields that the route of the site sets and adds.
fn add_fields(head: &mut HeadWriter<'_>, fetch: &FetchRequest, behind: &Behind<'_>) {
    let Some(edits) = edits_of(fetch) else { return };
    let (route, client) = (&fetch.route, AddressText::of(behind.client));
    let path_and_query = fetch.head.path_and_query();
    for line in edits.lines() {
        let value = line.value.fill(|variable| match variable {
            Variable::Client => client.as_str(),
            Variable::Host => route.authority(),
            Variable::Method => fetch.head.method_name(),
            Variable::Path => path_of(&fetch.head),
            Variable::Rest => "", // only redirections have it
            Variable::Scheme => route.scheme().name(),
            Variable::Uri => path_and_query,
            Variable::User => fetch.user.as_deref().unwrap_or_default(),
        });
        head.field(&line.name, value.as_bytes());
    }
}

/// Returns the verified certificate of the client.
fn certificate_of(fetch: &FetchRequest) -> Option<&PeerCertificate> {
    fetch.facts.tls.as_ref()?.certificate.as_ref()
}

/// Tells the origin of a reverse proxy who the client is: the certificate (RFC 9440 §2.2), and its
/// subject as text.
fn tell(certificate: &PeerCertificate, head: &mut HeadWriter<'_>) {
    let encoded = BASE64_STANDARD.encode(&certificate.der);
    head.field("Client-Cert", format!(":{encoded}:").as_bytes());
    if !certificate.subject.ends_with("...") {
        head.field("X-Client-Cert-Subject", certificate.subject.as_bytes()); // whole, or not at all
    }
}

/// Returns true if a field may be forwarded, whatever it claims about the client or the request.
/// Applications trust such claims, and caches cannot tell which of them selected a response: only
/// those of trusted proxies are forwarded.
fn may_say(field: &Field<'_>, method: Method, behind: &Behind<'_>, settings: &Settings) -> bool {
    let name = field.name;
    if claims::is_deceptive(name) {
        return false;
    }
    // Applications may serve the path in such a field, which no rule has checked.
    if claims::is_other_target(name) && settings.protects_paths() {
        return false;
    }
    behind.is_trusted() || !claims::is_request_claim(name, method)
}

/// Writes `Max-Forwards`, decremented on TRACE and OPTIONS and unchanged on other methods (RFC 9110
/// §7.6.2).
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

/// Writes conditions with the validators of stored responses (RFC 9111 §4.3.1). A date is sent only
/// for a single response, because it cannot tell several apart.
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

/// Writes `If-Range`, so that the origin sends a part only of the stored representation (RFC 9110
/// §13.1.5).
fn only_of_the_same(head: &mut HeadWriter<'_>, object: &Object) {
    let validator = [Name::ETag, Name::LastModified].map(|name| object.head.only(name));
    if let Some(validator) = validator.into_iter().flatten().next() {
        head.field("If-Range", validator);
    }
}

/// Returns true if a response was selected by fields that this proxy writes itself: `TE`, and in a
/// reverse proxy the fields that describe the client, `CDN-Loop`, and those that the route of the site
/// writes by the request.
pub(super) fn varies_by_hop(fields: &Fields, fetch: &FetchRequest) -> bool {
    let is_reverse = fetch.is_reverse();
    let is_edited = |name| edits_of(fetch).is_some_and(|edits| edits.depends_on_request(name));
    fields.elements(Name::Vary).any(|name| match Name::from_bytes(name) {
        Name::Te => true,
        Name::CdnLoop => is_reverse,
        _ if is_reverse => claims::is_claim(name) || claims::is_lookalike(name) || is_edited(name),
        _ => false,
    })
}
