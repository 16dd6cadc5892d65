//! Comma-separated lists with quoted strings (RFC 9110 §5.6).

use crate::work;

/// Elements of one list, trimmed and without empty ones. A comma within a quoted string does not
/// separate. An unterminated string extends to the end of the list.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Returns the elements of `list`.
    #[must_use]
    pub const fn of(list: &'a [u8]) -> Self {
        Self { rest: list }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = unquoted(self.rest, b',').unwrap_or(self.rest.len());
            work::count(end); // trimmed
            let element = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Returns the first position of `wanted` in `text` outside of quoted strings.
#[must_use]
pub fn unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut quotes = Quotes::default();
    let at = text.iter().position(|&byte| !quotes.passes(byte) && byte == wanted);
    work::count(at.map_or(text.len(), |at| at + 1));
    at
}

/// Returns true if every quoted string in `text` is terminated.
#[must_use]
pub fn is_terminated(text: &[u8]) -> bool {
    work::count(text.len());
    let mut quotes = Quotes::default();
    text.iter().for_each(|&byte| _ = quotes.passes(byte));
    !quotes.open
}

/// State of a scan through quoted strings (RFC 9110 §5.6.4).
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Advances past `byte`. Returns true if it belongs to a quoted string, including the quotes.
    fn passes(&mut self, byte: u8) -> bool {
        let was_open = self.open;
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.open => self.escaped = true,
            b'"' => self.open = !self.open,
            _ => {}
        }
        was_open || self.open
    }
}

/// Returns true if `text` is a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    work::count(text.len());
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Returns true if `byte` is allowed in a token.
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(list: &str) -> Vec<&str> {
        Elements::of(list.as_bytes()).map(|e| std::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn elements_are_trimmed_and_empty_ones_skipped() {
        assert_eq!(elements("a, b ,,\t c,"), ["a", "b", "c"]);
        assert_eq!(elements(""), [""; 0]);
        assert_eq!(elements(" , "), [""; 0]);
    }

    #[test]
    fn quoted_comma_does_not_separate() {
        assert_eq!(elements(r#"a="1,2", b"#), [r#"a="1,2""#, "b"]);
        assert_eq!(elements(r#"a="\",", b"#), [r#"a="\",""#, "b"]);
        assert_eq!(elements(r#"a="open, b"#), [r#"a="open, b"#]);
    }
}
