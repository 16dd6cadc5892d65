//! Bytes of a peer never forge a line, a column, or a control sequence of a terminal.

use std::sync::Arc;

use proptest::prelude::*;

use crate::http::{HeadLimits, ParseError, ServerCodec, ServerEvent};
use crate::proxy::observe::listener::{ListenerInfo, ListenerSettings};
use crate::proxy::observe::log_field::LogField;
use crate::reactor::{Clock, VirtualClock};

use super::*;

/// Parses a request with these bytes in target, `Referer` and `User-Agent`; `None` if it is
/// invalid.
fn request(target: &str, referer: &[u8], agent: &[u8]) -> Option<RequestHead> {
    let head = [
        b"GET http://h.test/",
        target.as_bytes(),
        b" HTTP/1.1\r\nHost: h.test\r\nReferer: ",
        referer,
        b"\r\nUser-Agent: ",
        agent,
        b"\r\n\r\n",
    ]
    .concat();
    match ServerCodec::new().decode(&head, &HeadLimits::default()) {
        Ok((_, Some(ServerEvent::Request(head)))) => Some(*head),
        _ => None,
    }
}

fn written(record: &ExchangeRecord, format: &LogFormat) -> String {
    let mut out = String::new();
    write(record, format, VirtualClock::default().now(), &mut Dates::default(), &mut out);
    let line = out.strip_suffix('\n').expect("a line has an end").to_owned();
    let unseen = |c: char| c.is_control() || "\u{202e}\u{200b}\u{2028}\u{feff}".contains(c);
    assert!(!line.contains(unseen), "{line:?}");
    line
}

/// Returns the text after a quoted string.
fn after_quoted(text: &str) -> &str {
    let mut escaped = false;
    let end = text.strip_prefix('"').expect("a quote").find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    &text[end.expect("another quote") + 2..]
}

fn check_human(line: &str, record: &ExchangeRecord) {
    let begin = line.find(" 192.0.2.1 ").expect("the client") + " 192.0.2.1       ".len();
    let target = line[begin..].split_once(' ').expect("the method").1.trim_start();
    let rest = match record.unread {
        Some(_) => after_quoted(target),
        None => target.find(' ').map_or("", |end| &target[end..]),
    };
    let reason = record.reason.as_ref().map(|reason| format!("  [{}]", reason.word()));
    assert_eq!(rest, reason.unwrap_or_default(), "{line}");
}

fn check_combined(line: &str) {
    let columns: Vec<&str> = line.splitn(4, ' ').collect();
    assert_eq!((columns[0], columns[1]), ("192.0.2.1", "-"));
    let rest = columns[3].split_once("] ").expect("the date").1;
    let rest = after_quoted(rest);
    let (status, rest) = rest[1..].split_once(' ').expect("the status");
    let (size, rest) = rest.split_once(' ').expect("the size");
    assert!([status, size].iter().all(|n| n.bytes().all(|b| b.is_ascii_digit())), "{line}");
    let rest = after_quoted(rest).strip_prefix(' ').expect("the agent");
    assert_eq!(after_quoted(rest), "", "{line}");
}

fn check_squid(line: &str) {
    let columns = line.split(' ').filter(|column| !column.is_empty()).count();
    assert_eq!(columns, 10, "{line}");
}

/// Checks that the line is a flat JSON object with known names, each at most once.
fn check_json(line: &str) {
    let mut known: Vec<&str> = LogField::ALL.iter().map(|&(_, name, _)| name).collect();
    let mut rest = line.strip_prefix('{').expect("an object");
    loop {
        let behind = after_quoted(rest);
        let name = &rest[1..rest.len() - behind.len() - 1];
        let place = known.iter().position(|known| *known == name);
        known.remove(place.unwrap_or_else(|| panic!("{name} in {line}")));
        let value = behind.strip_prefix(':').expect("a value");
        let behind = match value.starts_with('"') {
            true => after_quoted(value),
            false => &value[value.find([',', '}']).expect("an end")..],
        };
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return assert_eq!(behind, "}", "{line}"),
        }
    }
}

fn check(record: &ExchangeRecord) {
    check_human(&written(record, &LogFormat::Human), record);
    check_combined(&written(record, &LogFormat::Combined));
    check_squid(&written(record, &LogFormat::Squid));
    check_json(&written(record, &LogFormat::Json));
    check_custom(&written(
        record,
        "custom: \"{url}\" \"{agent}\" {status}".parse().as_ref().unwrap(),
    ));
}

fn check_custom(line: &str) {
    let rest = after_quoted(line).strip_prefix(' ').expect("the agent");
    let status = after_quoted(rest).strip_prefix(' ').expect("the status");
    assert!(status.bytes().all(|b| b.is_ascii_digit()), "{line}");
}

fn record() -> ExchangeRecord {
    let [client, listener] = ["192.0.2.1:4711", "192.0.2.2:80"].map(|text| text.parse().unwrap());
    let listener = ListenerInfo { address: listener, settings: ListenerSettings::default() };
    let mut record = ExchangeRecord::new(VirtualClock::default().now(), client, listener);
    record.status = Status::new(400);
    record
}

/// Generates bytes that are special in some format.
fn special_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\""[..],
        b"\\",
        b" ",
        b"  [x]",
        b"\n",
        b"\r\n",
        b"\t",
        b"\x1b[2J",
        b"\0",
        b"%",
        b",",
        b"}",
        b"a",
        b"\xff",
        b"\xc3",
        b"\xe2\x80\xae",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xc3\xa4",
        b"] \"",
        b"@",
        b"://",
        b"\\x",
        b"u0022",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn invalid_request_line_forges_nothing(unread in special_bytes()) {
        let mut record = record();
        record.unread = (!unread.is_empty()).then(|| unread.into());
        record.reason = Some(ExchangeError::BadRequest(ParseError::RequestLine).into());
        check(&record);
    }

    #[test]
    fn fields_of_a_request_forge_nothing(
        target in special_bytes(),
        referer in special_bytes(),
        agent in special_bytes(),
        user in special_bytes(),
        media_type in special_bytes(),
    ) {
        let target = String::from_utf8_lossy(&target).replace(|c: char| c.is_control() || " \"<>".contains(c), "");
        let field = |bytes: &[u8]| bytes.iter().copied().filter(|b| !b.is_ascii_control()).collect::<Vec<u8>>();
        let mut record = record();
        let request = request(&target, &field(&referer), &field(&agent)).expect("a request");
        record.request = Some(Arc::new(request));
        record.user = Some(String::from_utf8_lossy(&user).into());
        let media_type: Vec<u8> = media_type.into_iter().filter(|byte| !b"; \t".contains(byte)).collect();
        record.media_type = (!media_type.is_empty()).then(|| media_type.into());
        if target.len() % 2 == 0 {
            record.reason = Some(ExchangeError::OriginGone.into());
        }
        check(&record);
    }
}
