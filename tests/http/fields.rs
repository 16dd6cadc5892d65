//! Fields keep the order, spelling and repetition in which they were received.

use tidegate::http::{Field, Fields, Name};

use super::support::{fields, ok, post, request, response};

const LINES: &[u8] = b"sEt-CoOkIe: a=1, b\r\nX-Empty:\r\nACCEPT: text/html ,  */*\r\n\
                       Set-Cookie:b=2\r\nx-empty: \t\r\nAccept: image/png\r\n";

fn shown(fields: &Fields) -> Vec<String> {
    fields.iter().map(|field| format!("{field:?}")).collect()
}

#[test]
fn request_keeps_its_fields_unchanged() {
    let head = request(&post(LINES)).unwrap();
    let expected = [
        "Host: h.test",
        "sEt-CoOkIe: a=1, b",
        "X-Empty: ",
        "ACCEPT: text/html ,  */*",
        "Set-Cookie: b=2",
        "x-empty: ",
        "Accept: image/png",
    ];
    assert_eq!(shown(head.fields()), expected);
    assert_eq!(head.fields().wire(), post(LINES));
    assert_eq!(head.wire_length(), post(LINES).len());
    assert_eq!(head.fields().start_line(), b"POST /upload HTTP/1.1\r\n");
}

#[test]
fn response_keeps_its_fields_unchanged() {
    let head = response(&ok(LINES)).unwrap();
    assert_eq!(head.fields().len(), 6);
    assert_eq!(head.fields().wire(), ok(LINES));
    assert_eq!(head.wire_length(), ok(LINES).len());
    assert_eq!(head.fields().start_line(), b"HTTP/1.1 200 OK\r\n");
}

#[test]
fn single_content_length_of_a_response_is_kept_unchanged() {
    for length in ["0", "5", "10", "250"] {
        let bytes = ok(format!("Content-Length:{length}\r\n").as_bytes());
        assert_eq!(response(&bytes).unwrap().fields().wire(), bytes, "{length}");
    }
}

#[test]
fn start_line_is_found_without_fields() {
    let head = response(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    assert!(head.fields().is_empty());
    assert_eq!(head.fields().start_line(), b"HTTP/1.1 200 OK\r\n");
    assert_eq!(
        Fields::after(b"HTTP/1.1 200 OK\r\n".to_vec(), 0).start_line(),
        b"HTTP/1.1 200 OK\r\n"
    );
    assert_eq!(Fields::default().start_line(), b"");
}

#[test]
fn field_lookup_ignores_case() {
    let head = response(&ok(LINES)).unwrap();
    let fields = head.fields();
    assert_eq!(fields.get(Name::SetCookie), Some(&b"a=1, b"[..]));
    assert_eq!(fields.all(Name::Accept).count(), 2);
    assert_eq!(fields.only(Name::Accept), None);
    assert_eq!(fields.all_named(b"X-EMPTY").collect::<Vec<_>>(), [b"", b""]);
    assert!(!fields.has(Name::Host));
    let accepted: Vec<&[u8]> = fields.elements(Name::Accept).collect();
    assert_eq!(accepted, [&b"text/html"[..], b"*/*", b"image/png"]);
}

#[test]
fn similar_field_name_is_not_mistaken_for_a_known_one() {
    for name in [
        "Content_Length",
        "Content-Lengt",
        "Content-Length1",
        "ContentLength",
        "Hos",
        "\u{212a}eep",
    ] {
        assert_eq!(Name::from_bytes(name.as_bytes()), Name::Other, "{name}");
    }
}

#[test]
fn field_lines_are_appended_after_a_start_line() {
    let mut fields = Fields::after(b"HTTP/1.1 200 OK\r\n".to_vec(), 1);
    fields.push(b"a", b"1");
    fields.push(b"ETag", b"");
    assert_eq!(fields.wire(), b"HTTP/1.1 200 OK\r\na: 1\r\nETag: \r\n");
    assert_eq!(fields.get(Name::ETag), Some(&b""[..]));
    assert!(fields.weight() >= fields.wire().len());
}

#[test]
fn shrunk_fields_have_no_spare_capacity() {
    let mut roomy = Fields::after(Vec::with_capacity(10_000), 1);
    roomy.push(b"A", b"b");
    roomy.shrink();
    assert_eq!(roomy.wire(), b"A: b\r\n");
    assert!(roomy.weight() < 1000, "{}", roomy.weight());
    let mut roomy = Fields::after(Vec::new(), 1000);
    roomy.push(b"A", b"b");
    roomy.shrink();
    assert!(roomy.weight() < 1000, "{}", roomy.weight());
}

#[test]
fn fields_are_equal_only_if_their_bytes_are() {
    let one = fields(&[("A", "b"), ("C", "d")]);
    assert_eq!(one, fields(&[("A", "b"), ("C", "d")]));
    assert_ne!(one, fields(&[("C", "d"), ("A", "b")]), "the order counts");
    assert_ne!(one, fields(&[("a", "b"), ("C", "d")]), "the spelling counts");
}

#[test]
fn debug_output_escapes_control_bytes_of_values() {
    let field = Field { id: Name::Other, name: b"A", value: b"\xe4\x1b[31m" };
    assert_eq!(format!("{field:?}"), "A: \\xe4\\x1b[31m");
}
