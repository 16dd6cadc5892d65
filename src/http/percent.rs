//! Percent-encoding (RFC 3986 §2.1).

use std::borrow::Cow;

/// Returns the byte that an escape at the start of `text` stands for; `None` if no escape stands there.
pub(crate) fn escaped_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// Returns a path in which no unreserved character is percent-encoded (RFC 3986 §6.2.2.2).
pub(crate) fn without_needless_escapes(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let bytes = path.as_bytes();
    let (mut out, mut at) = (String::with_capacity(path.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        match escaped_byte(&bytes[at..]) {
            Some(plain @ (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')) => {
                out.push(char::from(plain));
                at += 3;
            }
            _ if byte.is_ascii() => {
                out.push(char::from(byte));
                at += 1;
            }
            _ => {
                let text = path[at..].chars().next().unwrap_or_default();
                out.push(text);
                at += text.len_utf8().max(1);
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_have_two_hexadecimal_digits() {
        for (text, byte) in [
            ("%41", Some(b'A')),
            ("%2fx", Some(b'/')),
            ("%fF", Some(0xff)),
            ("%4", None),
            ("%4g", None),
            ("41", None),
            ("", None),
        ] {
            assert_eq!(escaped_byte(text.as_bytes()), byte, "{text}");
        }
    }
}
