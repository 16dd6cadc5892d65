//! Parameter values with a charset: `UTF-8''J%C3%A4s` (RFC 8187 §3.2).

/// Decodes `text`. Returns `None` if it is malformed or not UTF-8.
pub(super) fn parse(text: &str) -> Option<String> {
    let mut parts = text.split('\'');
    let (charset, language, value) = (parts.next()?, parts.next()?, parts.next()?);
    let in_language = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let known = charset.eq_ignore_ascii_case("UTF-8") && language.bytes().all(in_language);
    if !known || parts.next().is_some() {
        return None;
    }
    String::from_utf8(decode(value.as_bytes())?).ok()
}

fn decode(mut value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    while let [first, rest @ ..] = value {
        match (first, rest) {
            (b'%', [high, low, rest @ ..]) => {
                out.push(digit(*high)? * 16 + digit(*low)?);
                value = rest;
            }
            (&byte, rest) if is_attr_char(byte) => {
                out.push(byte);
                value = rest;
            }
            _ => return None,
        }
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| digit.try_into().ok())
}

/// Returns true for the characters of `attr-char`.
const fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn utf_8_values_are_decoded() {
        assert_eq!(parse("UTF-8''J%C3%A4s%C3%B8n%20Doe").as_deref(), Some("Jäsøn Doe"));
        assert_eq!(parse("utf-8'en-GB'a%2c-b").as_deref(), Some("a,-b"));
        assert_eq!(parse("UTF-8''").as_deref(), Some(""));
    }

    #[test]
    fn malformed_values_are_rejected() {
        for text in [
            "",
            "name",
            "UTF-8'x",
            "ISO-8859-1''%e4",
            "UTF-8''%C3",
            "UTF-8''%C",
            "UTF-8''%+1",
            "UTF-8''a b",
            "UTF-8''a'b",
            "UTF-8'%'a",
            "UTF-8''%zz",
            "UTF-8''ä",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
