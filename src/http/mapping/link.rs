//! `Link` (RFC 8288 §3).

use std::ops::Range;

use crate::http::list;
use crate::work;

use super::Mapping;

impl Mapping<'_> {
    /// Returns a list of links in which each target is mapped as a location is. Parameters are kept as
    /// they are, `anchor` among them.
    #[must_use]
    pub fn link(&self, value: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(value).ok()?;
        work::count(text.len());
        let (mut out, mut copied) = (Vec::new(), 0);
        let mut links = Links { text, at: 0 };
        while let Some(target) = links.next_target().ok()? {
            if let Some(mapped) = self.reference(&text[target.clone()]) {
                out.extend_from_slice(&value[copied..target.start]);
                mapped.push_to(&mut out);
                copied = target.end;
            }
        }
        (copied > 0).then(|| {
            out.extend_from_slice(&value[copied..]);
            out
        })
    }
}

/// A list of links that is not one by RFC 8288 §3, or that programs may read in two ways.
struct Malformed;

/// A scan through a list of links. `at` is always at a character.
struct Links<'a> {
    text: &'a str,
    at: usize,
}

impl Links<'_> {
    /// Returns the range of the next target, and advances past its parameters.
    fn next_target(&mut self) -> Result<Option<Range<usize>>, Malformed> {
        self.skip(|byte| matches!(byte, b' ' | b'\t' | b','));
        match self.peek() {
            None => return Ok(None),
            Some(b'<') => self.at += 1,
            Some(_) => return Err(Malformed),
        }
        let start = self.at;
        self.skip(|byte| !matches!(byte, b'<' | b'>' | b'"'));
        let target = start..self.at;
        self.expect(b'>')?;
        while self.param()? {}
        Ok(Some(target))
    }

    /// Advances past a parameter. Returns false at the end of the link.
    fn param(&mut self) -> Result<bool, Malformed> {
        self.skip_blanks();
        if matches!(self.peek(), None | Some(b',')) {
            return Ok(false);
        }
        self.expect(b';')?;
        self.skip_blanks();
        let start = self.at;
        self.skip(list::is_token_byte);
        let is_named = self.at > start;
        self.skip_blanks();
        if is_named && self.peek() == Some(b'=') {
            self.at += 1;
            self.skip_blanks();
            match self.peek() {
                Some(b'"') => self.quoted()?,
                // Programs send more than tokens (RFC 8288 appendix B.3).
                _ => self.skip(|byte| !matches!(byte, b';' | b',' | b'"' | b'<' | b'>')),
            }
        }
        Ok(true)
    }

    /// Advances past a quoted string.
    fn quoted(&mut self) -> Result<(), Malformed> {
        self.expect(b'"')?;
        loop {
            self.skip(|byte| !matches!(byte, b'"' | b'\\'));
            if self.peek() != Some(b'\\') {
                return self.expect(b'"');
            }
            self.at += 1;
            let escaped = self.text[self.at..].chars().next().ok_or(Malformed)?;
            self.at += escaped.len_utf8();
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn skip_blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|&&byte| skipped(byte)).count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mapping::text;

    fn mapped(value: &str) -> Option<String> {
        text(Mapping::example("/base", "/app").link(value.as_bytes()))
    }

    #[test]
    fn targets_of_links_are_mapped_and_parameters_kept() {
        for (value, expected) in [
            ("</base/a.css>; rel=preload", "</app/a.css>; rel=preload"),
            (
                "<http://app.test:81/base/a,b;c>;rel=\"x\" , <y>;a ,,<https://h.test/base/>, </base>",
                "</app/a,b;c>;rel=\"x\" , <y>;a ,,<https://h.test/base/>, </app>",
            ),
            (
                "</base/a>; title=\"x>, </base/b>; \\\"\"; anchor=\"/base/c\", </base/d>;;",
                "</app/a>; title=\"x>, </base/b>; \\\"\"; anchor=\"/base/c\", </app/d>;;",
            ),
            (
                "</base/a>; type = text/css; title*=UTF-8''%e4",
                "</app/a>; type = text/css; title*=UTF-8''%e4",
            ),
            ("</base/\u{e4}>; t=\"\\\u{e4}\"", "</app/\u{e4}>; t=\"\\\u{e4}\""),
        ] {
            assert_eq!(mapped(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn links_that_name_no_origin_or_are_malformed_are_kept() {
        for value in [
            "",
            " , ",
            "<>",
            "<y>; rel=next",
            "</other>; rel=next",
            "</base/a",
            "/base/a",
            "</base/a>; rel=\"next",
            "</base/a>; rel=\"next\\",
            "</base/a>; rel=\"next\\\"",
            "</base/a>; rel=\"next\"x",
            "</base/a>; rel=a\"b\"",
            "</base/a>; =x",
            "</base/a>; \u{e4}",
            "</base/a> rel=next",
            "</base/a> </base/b>",
            "</base/a>; rel=</base/b>",
            "</base/<a>",
            "</base/\"a>",
            "</base/a>, x",
        ] {
            assert_eq!(mapped(value), None, "{value}");
        }
        assert_eq!(Mapping::example("", "/app").link(b"</a>; t=\"\xff\""), None);
    }

    #[test]
    fn steps_grow_with_the_number_of_links() {
        let steps = |link: &str, count: usize| {
            let value = vec![link; count].join(", ");
            let before = work::counted();
            let mapped = Mapping::example("/base", "/application").link(value.as_bytes());
            assert!(mapped.is_none_or(|out| out.len() <= value.len() + count * 12));
            work::counted() - before
        };
        for link in ["</base/a>; rel=next", "<http://app.test:81/base/>", "<a>", "<a:>;a=\"\\\"\""]
        {
            let (few, many) = (steps(link, 100), steps(link, 1000));
            assert!(many < 11 * few, "{link}: {few} and {many} steps");
        }
    }
}
