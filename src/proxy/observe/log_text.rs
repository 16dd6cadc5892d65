//! Text and numbers in log lines. Bytes of a peer are escaped, so that they cannot forge a line or
//! a column, move a terminal's cursor or reverse the writing direction.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use crate::http::date;

/// Adds `text`, escaped for a quoted string. Invalid UTF-8 is written as `\xff`.
pub(super) fn push_escaped(out: &mut String, text: &[u8]) {
    push_with(out, text, push_invalid("\\x"), |out, c| match c {
        '"' | '\\' => out.extend(['\\', c]),
        _ if is_unseen(c) => push_bytes(out, c, "\\x"),
        _ => out.push(c),
    });
}

/// Adds a URL, or text received instead of one, as a single word. Invalid UTF-8 is written as
/// `%ff`.
pub(super) fn push_url(out: &mut String, url: &[u8]) {
    push_with(out, url, push_invalid("%"), |out, c| match c {
        ' ' | '"' | '\\' => push_bytes(out, c, "%"),
        _ if is_unseen(c) => push_bytes(out, c, "%"),
        _ => out.push(c),
    });
}

/// Adds a JSON string (RFC 8259 §7).
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    push_json(out, text.as_bytes());
    out.push('"');
}

/// Adds the content of a JSON string. Invalid UTF-8 is written as U+FFFD.
pub(super) fn push_json(out: &mut String, text: &[u8]) {
    let replace = |out: &mut String, _| out.push(char::REPLACEMENT_CHARACTER);
    push_with(out, text, replace, |out, c| match c {
        '"' | '\\' => out.extend(['\\', c]),
        _ if is_unseen(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}"); // writing to a String does not fail
            }
        }
        _ => out.push(c),
    });
}

/// Adds runs of plain ASCII as they are, invalid UTF-8 by `invalid`, and other characters by
/// `other`.
fn push_with(
    out: &mut String,
    text: &[u8],
    invalid: impl Fn(&mut String, u8),
    other: impl Fn(&mut String, char),
) {
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.bytes().position(|b| !is_plain(b)) {
            out.push_str(&rest[..at]);
            let mut chars = rest[at..].chars();
            if let Some(c) = chars.next() {
                other(out, c);
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        chunk.invalid().iter().for_each(|&byte| invalid(out, byte));
    }
}

fn push_invalid(mark: &'static str) -> impl Fn(&mut String, u8) {
    move |out, byte| {
        let _ = write!(out, "{mark}{byte:02x}"); // writing to a String does not fail
    }
}

fn push_bytes(out: &mut String, c: char, mark: &str) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        let _ = write!(out, "{mark}{byte:02x}"); // writing to a String does not fail
    }
}

/// Returns true if a character is invisible or changes how others are shown: controls, line
/// separators, and format characters (general category Cf), among them those that reverse the
/// writing direction.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Splits an invalid request line around a user and password, if it seems to contain them.
pub(super) fn around_secret(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memrchr(b'@', line)?;
    let scheme = memchr::memmem::find(line, b"://").map(|at| at + 3);
    let begin = scheme.or_else(|| memchr::memchr(b' ', line).map(|at| at + 1));
    let begin = begin.filter(|&begin| begin <= end).unwrap_or(0);
    Some((&line[..begin], &line[end..]))
}

/// Adds a number, padded with zeros to `digits`.
pub(super) fn push_number(out: &mut String, number: u64, digits: usize) {
    let mut reversed = [b'0'; 20]; // as many digits as a u64 can have
    let (mut rest, mut length) = (number, 0);
    while rest > 0 {
        reversed[length] = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
    }
    let length = length.max(digits);
    out.extend(reversed[..length].iter().rev().map(|&b| char::from(b)));
}

/// Pads the text since `begin` with spaces on the right, to `width` characters.
pub(super) fn fill(out: &mut String, begin: usize, width: usize) {
    for _ in out.len() - begin..width {
        out.push(' ');
    }
}

/// Adds a number and its unit, padded with spaces on the left to `width` characters.
pub(super) fn push_right(out: &mut String, number: u64, unit: &str, width: usize) {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    for _ in digits + unit.len()..width {
        out.push(' ');
    }
    push_number(out, number, 1);
    out.push_str(unit);
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Formatted dates; the last one is cached, since most lines of a second share it.
#[derive(Debug, Default)]
pub(super) struct Dates {
    second: u64,
    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    text: String,
}

impl Dates {
    /// Returns the time of day in UTC.
    pub(super) fn time(&mut self, second: u64) -> &str {
        &self.text(second)[17..25]
    }

    /// Adds date and time in Apache's format.
    pub(super) fn push_apache(&mut self, out: &mut String, second: u64) {
        let text = self.text(second);
        let parts = [&text[5..7], "/", &text[8..11], "/", &text[12..16], ":", &text[17..25]];
        out.extend(parts);
        out.push_str(" +0000");
    }

    /// Adds date and time in the format of RFC 3339, with milliseconds.
    pub(super) fn push_rfc3339(&mut self, out: &mut String, since_epoch: Duration) {
        let text = self.text(since_epoch.as_secs());
        let month = MONTHS.iter().position(|&month| month == &text[8..11]).unwrap_or_default();
        out.extend([&text[12..16], "-"]);
        push_number(out, month as u64 + 1, 2);
        out.extend(["-", &text[5..7], "T", &text[17..25], "."]);
        push_number(out, since_epoch.subsec_millis().into(), 3);
        out.push('Z');
    }

    fn text(&mut self, second: u64) -> &str {
        if self.second != second || self.text.is_empty() {
            self.text = date::format(UNIX_EPOCH + Duration::from_secs(second));
            self.second = second;
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn invisible_characters_are_escaped() {
        let text =
            [b"a\xff", "\u{202e}b \"\\\x1b\u{e9}\u{e0001}".as_bytes(), b"\xe9x\xf0\x9f"].concat();
        let escaped =
            "a\\xff\\xe2\\x80\\xaeb \\\"\\\\\\x1b\u{e9}\\xf3\\xa0\\x80\\x81\\xe9x\\xf0\\x9f";
        assert_eq!(pushed(|out| push_escaped(out, &text)), escaped);
        let url = "a%ff%e2%80%aeb%20%22%5c%1b\u{e9}%f3%a0%80%81%e9x%f0%9f";
        assert_eq!(pushed(|out| push_url(out, &text)), url);
        let json = "a\u{fffd}\\u202eb \\\"\\\\\\u001b\u{e9}\\udb40\\udc01\u{fffd}x\u{fffd}\u{fffd}";
        assert_eq!(pushed(|out| push_json(out, &text)), json);
        assert_eq!(pushed(|out| push_quoted(out, "a\"")), r#""a\"""#);
    }

    #[test]
    fn user_and_password_are_found_in_any_position() {
        for (line, before, after) in [
            ("GET http://u:secret@h/ HTTP/1.1", "GET http://", "@h/ HTTP/1.1"),
            ("GET http://u:sec/r@et@h/ HTTP/1.1", "GET http://", "@h/ HTTP/1.1"),
            ("CONNECT u:secret@h:443 HTTP/1.1", "CONNECT ", "@h:443 HTTP/1.1"),
            ("u:secret@h", "", "@h"),
            ("secret@h http://x", "", "@h http://x"),
        ] {
            let around = around_secret(line.as_bytes());
            assert_eq!(around, Some((before.as_bytes(), after.as_bytes())), "{line}");
        }
        assert_eq!(around_secret(b"GET / HTTP/1.1"), None);
    }

    #[test]
    fn numbers_and_times_are_padded_to_columns() {
        for number in [0, 7, 10, 999, 1000, u64::MAX] {
            assert_eq!(pushed(|out| push_number(out, number, 1)), number.to_string());
            assert_eq!(pushed(|out| push_number(out, number, 3)), format!("{number:03}"));
            let right = format!("{:>7}", format!("{number}ms"));
            assert_eq!(pushed(|out| push_right(out, number, "ms", 7)), right);
        }
        let mut dates = Dates::default();
        assert_eq!(dates.time(0), "00:00:00");
        assert_eq!(dates.time(784_111_777), "08:49:37");
        let apache = pushed(|out| dates.push_apache(out, 784_111_777));
        assert_eq!(apache, "06/Nov/1994:08:49:37 +0000");
        let time = Duration::from_millis(784_111_777_042);
        let rfc3339 = pushed(|out| dates.push_rfc3339(out, time));
        assert_eq!(rfc3339, "1994-11-06T08:49:37.042Z");
    }
}
