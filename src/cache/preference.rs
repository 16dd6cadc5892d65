//! Lists of preferences with weights, as `Accept-Language` (RFC 9110 §12.4.2, §12.5).

use crate::http::list::Elements;

/// What is preferred, and how much: thousandths. In order of preference; what is preferred alike is
/// in the order of its text, since the order in the list means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences(Vec<(u16, Vec<u8>)>);

impl Preferences {
    /// Reads all lines of a field.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all: Vec<_> = lines.flat_map(Elements::of).map(weighed).collect();
        all.sort_by(|(a, this), (b, other)| b.cmp(a).then_with(|| this.cmp(other)));
        all.dedup();
        Self(all)
    }

    /// What is preferred to everything else, if that is one.
    pub(super) fn first(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [(weight, first), rest @ ..] if *weight > 0 => {
                let alone = rest.first().is_none_or(|(next, _)| next < weight);
                alone.then_some(first.as_slice())
            }
            _ => None,
        }
    }

    /// The same for lists that mean the same.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (weight, text) in &self.0 {
            out.extend_from_slice(text);
            out.extend_from_slice(format!(";{weight},").as_bytes());
        }
        out
    }
}

/// An element in lower case without its weight, and that; a weight that cannot be read stays where
/// it is.
fn weighed(element: &[u8]) -> (u16, Vec<u8>) {
    let mut text = Vec::new();
    let mut weight = 1000;
    for (n, part) in element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii).enumerate() {
        match part {
            [b'q' | b'Q', b'=', value @ ..] if n > 0 && qvalue(value).is_some() => {
                weight = qvalue(value).unwrap_or(weight);
            }
            _ => {
                if n > 0 {
                    text.push(b';');
                }
                text.extend(part.iter().map(u8::to_ascii_lowercase));
            }
        }
    }
    (weight, text)
}

/// `0`, `1`, or either with up to three digits behind a dot, in thousandths.
fn qvalue(value: &[u8]) -> Option<u16> {
    let (whole, digits) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let thousandths = (0..3).fold(u16::from(whole - b'0'), |sum, n| {
        sum * 10 + u16::from(digits.get(n).map_or(0, |digit| digit.wrapping_sub(b'0')))
    });
    (all_digits && thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Preferences {
        Preferences::of([line.as_bytes()].into_iter())
    }

    #[test]
    fn lists_are_the_same_if_they_mean_the_same() {
        assert_eq!(of("en, de"), of("DE,en;q=1.000"));
        assert_eq!(of("en;q=0.5, de"), of("de, EN ; Q=0.50"));
        assert_ne!(of("en;q=0.5, de"), of("en, de;q=0.5"));
        assert_ne!(of("en;q=2").canonical(), of("en").canonical());
        assert_eq!(of("a, a").canonical(), of("a").canonical());
    }

    #[test]
    fn what_is_preferred_to_all_else_comes_first() {
        assert_eq!(of("fr;q=0.5, De;q=1.0").first(), Some(&b"de"[..]));
        assert_eq!(of("fr, de").first(), None);
        assert_eq!(of("de;q=0").first(), None);
        assert_eq!(of("").first(), None);
    }

    #[test]
    fn weights_have_up_to_three_digits() {
        for (text, weight) in [("0", 0), ("1", 1000), ("0.5", 500), ("0.123", 123), ("1.", 1000)] {
            assert_eq!(qvalue(text.as_bytes()), Some(weight), "{text}");
        }
        for text in ["", "2", "1.1", "0.1234", "0.x", ".5", "-1"] {
            assert_eq!(qvalue(text.as_bytes()), None, "{text}");
        }
    }
}
