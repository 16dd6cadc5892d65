//! Percent-encoding (RFC 3986 §2.1).

use std::borrow::Cow;

/// Returns the byte that an escape at the start of `text` stands for; `None` if no escape stands there.
pub(crate) fn escaped_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// Returns a path whose percent-encodings are in their normal form: unreserved characters have none (RFC
/// 3986 §6.2.2.2), and the others have digits in upper case (§6.2.2.1).
pub(crate) fn normal_escapes(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // Behind a '%' that begins no escape, a decoded digit would make it one.
        let is_open = matches!(out.as_bytes(), [.., b'%'] | [.., b'%', _]);
        let used = match escaped_byte(rest.as_bytes()) {
            Some(plain @ (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'))
                if !is_open =>
            {
                out.push(char::from(plain));
                3
            }
            Some(_) => {
                out.push_str(&rest[..3].to_ascii_uppercase());
                3
            }
            None => {
                out.push('%');
                1
            }
        };
        rest = &rest[used..];
    }
    out.push_str(rest);
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
