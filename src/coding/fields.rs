//! Fields of responses whose content is coded, or could have been.

use std::borrow::Cow;

use crate::http::cond::EntityTag;
use crate::http::{ContentCoding, Field, Fields, Name};

/// Fields that describe the bytes of content without a coding (RFC 9530, and those before it).
const DIGESTS: [&[u8]; 4] = [b"Content-Digest", b"Repr-Digest", b"Digest", b"Content-MD5"];

/// Returns the head of a response whose content is sent in a coding, with the length of that if it is known.
/// A strong entity tag becomes weak, since the bytes are not those that it stands for (RFC 9110 §8.8.1);
/// ranges of the coded content are not offered.
#[must_use]
pub fn coded(head: &Fields, coding: ContentCoding, length: Option<u64>) -> Fields {
    let mut out = Fields::after(head.start_line().to_vec(), head.len() + 3);
    for field in head.iter() {
        match field.id {
            Name::ContentLength | Name::AcceptRanges | Name::Vary => {}
            Name::Other if is_digest(field) => {}
            Name::ETag => copy_weakly(field, &mut out),
            _ => out.copy(field),
        }
    }
    push_vary(head, &mut out);
    out.push(b"Content-Encoding", coding.name().as_bytes());
    if let Some(length) = length {
        out.push(b"Content-Length", length.to_string().as_bytes());
    }
    out
}

/// Returns the head of a response whose content another client may get in a coding.
#[must_use]
pub fn varying(head: &Fields) -> Cow<'_, Fields> {
    if names_coding(head) {
        return Cow::Borrowed(head);
    }
    let mut out = head.filtered(|field| field.id != Name::Vary);
    push_vary(head, &mut out);
    Cow::Owned(out)
}

/// Returns the trailers of content that is sent in a coding.
#[must_use]
pub fn coded_trailers(trailers: &Fields) -> Fields {
    trailers.filtered(|field| !is_digest(*field))
}

/// Returns the head of a 304 from the origin to a request that knows only the weak form of its entity tag:
/// the client has coded content, which a 304 with the strong tag would not confirm (RFC 9111 §4.3.4).
/// `None` for any other 304.
#[must_use]
pub fn weakened(head: &Fields, request: &Fields) -> Option<Fields> {
    let tag = head.only(Name::ETag).and_then(EntityTag::parse).filter(|tag| !tag.weak)?;
    let named = || request.elements(Name::IfNoneMatch).filter_map(EntityTag::parse);
    let weak = EntityTag { weak: true, ..tag };
    if named().any(|named| named == tag) || !named().any(|named| named == weak) {
        return None;
    }
    let mut out = Fields::after(head.start_line().to_vec(), head.len() + 1);
    for field in head.iter() {
        match field.id {
            Name::Vary => {}
            Name::ETag => copy_weakly(field, &mut out),
            _ => out.copy(field),
        }
    }
    push_vary(head, &mut out);
    Some(out)
}

fn is_digest(field: Field<'_>) -> bool {
    DIGESTS.iter().any(|name| field.is_named(name))
}

fn copy_weakly(field: Field<'_>, out: &mut Fields) {
    match EntityTag::parse(field.value) {
        Some(tag) if !tag.weak => out.push(field.name, &[b"W/", field.value].concat()),
        Some(_) => out.copy(field),
        None => {} // no form of it is weak
    }
}

/// Appends `Vary` with the names that `head` has there, and `Accept-Encoding`.
fn push_vary(head: &Fields, out: &mut Fields) {
    let mut names: Vec<&[u8]> = head.elements(Name::Vary).collect();
    if !names_coding(head) {
        names.push(b"Accept-Encoding");
    }
    out.push(b"Vary", &names.join(&b", "[..]));
}

/// Returns true if `Vary` has `Accept-Encoding`, or `*`, which stands for all names.
fn names_coding(head: &Fields) -> bool {
    let is_one = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"Accept-Encoding");
    head.elements(Name::Vary).any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::after(b"HTTP/1.1 200 OK\r\n".to_vec(), lines.len());
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    #[test]
    fn coded_head_describes_the_coded_content() {
        let head = fields(&[
            ("Content-Length", "900"),
            ("ETag", "\"a\""),
            ("accept-ranges", "bytes"),
            ("Content-MD5", "x"),
            ("repr-digest", "sha-256=:x:"),
            ("Vary", "Cookie"),
            ("X", "y"),
            ("vary", "Origin,"),
        ]);
        let expected = fields(&[
            ("ETag", "W/\"a\""),
            ("X", "y"),
            ("Vary", "Cookie, Origin, Accept-Encoding"),
            ("Content-Encoding", "br"),
            ("Content-Length", "7"),
        ]);
        assert_eq!(coded(&head, ContentCoding::Brotli, Some(7)).wire(), expected.wire());
        let weak = fields(&[("ETag", "W/\"a\""), ("Vary", "accept-encoding")]);
        let expected = fields(&[
            ("ETag", "W/\"a\""),
            ("Vary", "accept-encoding"),
            ("Content-Encoding", "gzip"),
        ]);
        assert_eq!(coded(&weak, ContentCoding::Gzip, None).wire(), expected.wire());
    }

    #[test]
    fn trailers_describe_no_other_bytes() {
        let trailers = fields(&[("X-Sum", "1"), ("content-digest", "x"), ("Digest", "y")]);
        assert_eq!(coded_trailers(&trailers).wire(), fields(&[("X-Sum", "1")]).wire());
    }

    #[test]
    fn vary_is_added_once() {
        for (before, after) in [
            (&[][..], "Accept-Encoding"),
            (&["Origin"], "Origin, Accept-Encoding"),
            (&["a", "b"], "a, b, Accept-Encoding"),
            (&["ACCEPT-encoding"], "ACCEPT-encoding"),
            (&["*"], "*"),
        ] {
            let lines: Vec<_> = before.iter().map(|value| ("Vary", *value)).collect();
            let head = fields(&lines);
            assert_eq!(varying(&head).only(Name::Vary), Some(after.as_bytes()));
        }
    }

    #[test]
    fn not_modified_keeps_the_tag_that_the_client_knows() {
        let head = fields(&[("ETag", "\"a\"")]);
        let weakened = |tag: &str| weakened(&head, &fields(&[("If-None-Match", tag)]));
        let found = weakened("\"x\", W/\"a\"").unwrap();
        assert_eq!(
            found.wire(),
            fields(&[("ETag", "W/\"a\""), ("Vary", "Accept-Encoding")]).wire()
        );
        for other in ["\"a\"", "W/\"a\", \"a\"", "*", "W/\"b\""] {
            assert!(weakened(other).is_none(), "{other}");
        }
    }
}
