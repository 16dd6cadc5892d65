//! Percent-encoding (RFC 3986 §2.1).

/// Returns the byte that an escape at the start of `text` stands for; `None` if no escape stands there.
pub(crate) fn escaped_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
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
