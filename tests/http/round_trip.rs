//! Written messages are parsed as the same messages.

use proptest::prelude::*;
use tidegate::http::{
    Chunked, ChunkedDecoder, Fields, Framing, HeadLimits, HeadWriter, Status, Version,
    write_chunk_size, write_last_chunk,
};

use super::generate::{self, Line};
use super::support::{request, response};

fn read(fields: &Fields) -> Vec<Line> {
    let line =
        |name: &[u8], value: &[u8]| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec());
    fields.iter().map(|field| line(field.name, field.value)).collect()
}

proptest! {
    #[test]
    fn request_head_parses_as_it_was_written(
        method in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}",
        target in generate::target(),
        lines in generate::lines(20),
        length in prop::option::of(0..=i64::MAX.cast_unsigned()),
    ) {
        prop_assume!(!matches!(method.as_str(), "CONNECT" | "TRACE"));
        let mut bytes = Vec::new();
        let mut writer = HeadWriter::request(&mut bytes, &method, &target);
        writer.field("Host", b"h.test");
        for (name, value) in &lines {
            writer.field(name, value);
        }
        if let Some(length) = length {
            writer.number("Content-Length", length);
        }
        writer.end();

        let head = request(&bytes).unwrap();
        prop_assert_eq!(head.method_name(), method);
        prop_assert_eq!(head.target(), target);
        prop_assert_eq!(head.version(), Version::Http11);
        prop_assert_eq!(head.framing(), length.map_or(Framing::None, Framing::Length));
        let mut expected = vec![("Host".to_owned(), b"h.test".to_vec())];
        expected.extend(lines);
        expected.extend(length.map(|n| ("Content-Length".to_owned(), n.to_string().into_bytes())));
        prop_assert_eq!(read(head.fields()), expected);

        let mut again = Vec::new();
        let mut writer = HeadWriter::request(&mut again, head.method_name(), head.target());
        writer.copy_if(head.fields(), |_| true);
        writer.end();
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn response_head_parses_as_it_was_written(
        code in 100u16..600,
        reason in prop::collection::vec((b' '..=0x7e).prop_union(0x80..=0xff), 0..20),
        lines in generate::lines(20),
    ) {
        let status = Status::new(code).unwrap();
        let mut bytes = Vec::new();
        let mut writer = HeadWriter::response(&mut bytes, status, &reason);
        for (name, value) in &lines {
            writer.field(name, value);
        }
        writer.via(Version::Http10, "gate").end();

        let head = response(&bytes).unwrap();
        prop_assert_eq!((head.status(), head.reason()), (status, &reason[..]));
        let mut expected = lines;
        expected.push(("Via".to_owned(), b"1.0 gate".to_vec()));
        prop_assert_eq!(read(head.fields()), expected);

        // The same lines, pushed rather than parsed, have the same bytes.
        let mut held = Fields::after(head.fields().start_line().to_vec(), 0);
        head.fields().iter().for_each(|field| held.push(field.name, field.value));
        prop_assert_eq!([held.wire(), b"\r\n"].concat(), bytes);
        prop_assert_eq!(held.start_line(), head.fields().start_line());
    }

    #[test]
    fn chunks_and_trailers_decode_as_they_were_written(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        lines in generate::lines(4),
    ) {
        let mut trailers = Fields::default();
        let lines: Vec<Line> = lines.into_iter().filter(|(name, _)| name.starts_with("X-")).collect();
        lines.iter().for_each(|(name, value)| trailers.push(name.as_bytes(), value));
        let mut body = Vec::new();
        for chunk in &chunks {
            write_chunk_size(&mut body, chunk.len());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        write_last_chunk(&mut body, Some(&trailers));

        let mut decoder = ChunkedDecoder::new();
        let (mut content, mut used) = (Vec::new(), 0);
        let end = loop {
            let rest = &body[used..];
            let (n, step) = decoder.decode(rest, &HeadLimits::default()).unwrap();
            used += n;
            match step {
                Chunked::Content(range) => content.extend_from_slice(&rest[range]),
                Chunked::End(range) => break rest[range].to_vec(),
                Chunked::More => panic!("the body is complete"),
            }
        };
        prop_assert_eq!(content, chunks.concat());
        prop_assert_eq!(used, body.len());
        prop_assert_eq!(end, [trailers.wire(), b"\r\n"].concat());
    }
}

#[test]
fn numbers_are_written_in_full() {
    for number in [0, 9, 10, 12_345, u64::MAX] {
        let mut bytes = Vec::new();
        HeadWriter::resume(&mut bytes).number("A", number).end();
        assert_eq!(bytes, format!("A: {number}\r\n\r\n").into_bytes());
    }
}

#[test]
fn content_follows_the_head_it_is_appended_to() {
    let mut bytes = b"before".to_vec();
    let mut writer = HeadWriter::response(&mut bytes, Status::OK, b"");
    writer.field("A", b"").end();
    writer.content(b"after");
    assert_eq!(bytes, b"beforeHTTP/1.1 200 \r\nA: \r\n\r\nafter");
}
