//! Weights of preferences (RFC 9110 §12.4.2).

use crate::work;

/// Returns weight and text of an element, the text in lower case. An invalid weight remains part of
/// the text.
pub(crate) fn weighed(element: &[u8]) -> (u16, Vec<u8>) {
    work::count(work::LOOK_UP + element.len());
    let mut text = Vec::with_capacity(element.len());
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

/// Parses `0` or `1` with up to three decimals, in thousandths.
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

    #[test]
    fn weights_are_read_in_thousandths() {
        for (element, weight, text) in [
            ("gzip", 1000, "gzip"),
            ("GZip;q=0.5", 500, "gzip"),
            ("br ; Q=0", 0, "br"),
            ("a;x=1;q=0.123", 123, "a;x=1"),
            ("a;q=1.001", 1000, "a;q=1.001"),
            ("a;q=0.1234", 1000, "a;q=0.1234"),
        ] {
            assert_eq!(
                weighed(element.as_bytes()),
                (weight, text.as_bytes().to_vec()),
                "{element}"
            );
        }
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
