//! Values of fields.

use crate::work;

/// Returns true if `value` can be sent as the value of a field: it has no control characters but tab
/// (RFC 9110 §5.5).
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    work::count(value.len());
    value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadLimits, ServerCodec};

    #[test]
    fn values_are_those_that_the_codec_accepts() {
        for byte in 0..=u8::MAX {
            let value = [b'a', byte, b'z'];
            let head = [b"GET / HTTP/1.1\r\nHost: h.test\r\nX: ", &value[..], b"\r\n\r\n"].concat();
            let accepted = ServerCodec::new().decode(&head, &HeadLimits::default()).is_ok();
            assert_eq!(is_field_value(&value), accepted, "{byte:#x}");
        }
    }
}
