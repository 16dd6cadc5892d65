//! Tests of messages and entries.

use std::time::Duration;

use super::*;

const LINE: &str = "{\"time\":\"2025-12-01T03:00:00.123Z\",\"client\":\"127.0.0.1\",\"tls\":{\"version\":\"1.3\"},\
                    \"method\":\"GET\",\"url\":\"http://h.test/\",\"status\":503,\"result\":\"error\",\"ms\":1500.250,\"bytes\":7}";

fn syslog(line: &str) -> (String, bool) {
    let facility = "local3".parse().unwrap();
    Syslog::new(facility, "edge 1", 42).message(line, Duration::from_secs(1))
}

#[test]
fn message_has_the_severity_and_time_of_its_mark() {
    let mut line = String::new();
    push_mark(
        &mut line,
        Severity::of_status(Some(503)),
        Duration::from_micros(1_764_558_000_123_456),
    );
    line.push_str("1 2 words");
    let expected = "<155>1 2025-12-01T03:00:00.123456Z edge1 tidegate 42 - - 1 2 words";
    assert_eq!(syslog(&line), (expected.to_owned(), false));
}

#[test]
fn line_without_mark_is_information() {
    for line in ["", "words only", "9 1 x", "3 x y", "127.0.0.1 - - [1]"] {
        let (message, _) = syslog(line);
        let expected = format!("<158>1 1970-01-01T00:00:01.000000Z edge1 tidegate 42 - - {line}");
        assert_eq!(message, expected);
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    for (days, text) in [
        (0, "1970-01-01"),
        (58, "1970-02-28"),
        (59, "1970-03-01"),
        (789, "1972-02-29"),
        (11_016, "2000-02-29"),
        (11_017, "2000-03-01"),
        (20_818, "2026-12-31"),
        (47_541, "2100-03-01"),
    ] {
        let time = Duration::from_secs(days * 86_400);
        let (message, _) = Syslog::new(Facility::default(), "h", 1).message("x", time);
        assert!(message.contains(text), "{message} {text}");
    }
}

#[test]
fn long_message_is_cut_between_characters_and_marked() {
    let (message, is_cut) = syslog(&"ä".repeat(8000));
    assert!(is_cut && message.ends_with("ä…"), "{message}");
    assert!((8190..=8192).contains(&message.len()), "{}", message.len());
}

#[test]
fn facilities_have_names() {
    for name in ["kern", "daemon", "local0", "local7"] {
        assert_eq!(name.parse::<Facility>().unwrap().to_string(), name);
    }
    assert!("local8".parse::<Facility>().unwrap_err().contains("local0 to local7"));
}

#[test]
fn members_tell_end_and_status() {
    let members = Members::read(LINE).unwrap();
    assert_eq!(members.ended(), Some(Duration::new(1_764_558_001, 623_250_000)));
    assert_eq!((members.status(), members.severity()), (Some(503), Severity::Error));
    assert!(Members::read("[1]").is_none() && Members::read("words").is_none());
    for line in ["{}", "{\"time\":null}", "{\"time\":-1}", "{\"time\":1e300}"] {
        assert_eq!(Members::read(line).unwrap().ended(), None, "{line}");
    }
}

#[test]
fn entry_has_a_field_for_each_member() {
    let (entry, is_cut) = entry(LINE);
    let text = String::from_utf8(entry).unwrap();
    assert!(!is_cut);
    assert!(text.starts_with(
        "MESSAGE=127.0.0.1 GET http://h.test/ 503 error\nPRIORITY=3\nSYSLOG_IDENTIFIER=tidegate\n"
    ));
    for line in ["TIDEGATE_STATUS=503", "TIDEGATE_TLS_VERSION=1.3", "TIDEGATE_URL=http://h.test/"] {
        assert!(text.lines().any(|own| own == line), "{text}");
    }
}

#[test]
fn value_with_a_line_end_has_a_length() {
    let (entry, _) = entry("{\"user\":\"a\\nPRIORITY=0\"}");
    let expected = b"TIDEGATE_USER\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
    assert!(entry.ends_with(expected), "{}", entry.escape_ascii());
}

#[test]
fn long_value_of_an_entry_is_cut() {
    let (long, is_cut) = entry(&format!("{{\"url\":\"{}\"}}", "x".repeat(100_000)));
    assert!(is_cut && long.len() < 34_000);
    assert_eq!(entry("no JSON").0, b"MESSAGE=no JSON\nPRIORITY=6\nSYSLOG_IDENTIFIER=tidegate\n");
}
