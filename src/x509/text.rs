//! Names as short text for log lines.

use std::fmt::{self, Write};

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::name::Name;

/// Type of an attribute that holds a common name (RFC 5280 appendix A).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Longest text in bytes, so that a name fits into a log line.
const MOST_BYTES: usize = 256;

/// Returns a name as text (RFC 4514). Longer text ends in `...`.
pub(super) fn of_name(name: &Name) -> String {
    let mut text = Escaped(String::new());
    // A failure means that the text is full, or that a value cannot be shown.
    if write!(text, "{name}").is_err() {
        text.0.push_str("...");
    }
    text.0
}

/// Returns the common name, if there is one and no more. A name that would have to be shortened is none.
pub(super) fn common_name(name: &Name) -> Option<String> {
    let mut found = name.iter().filter(|attribute| attribute.oid == COMMON_NAME);
    let value = found.next().filter(|_| found.next().is_none())?.value.value();
    let text = std::str::from_utf8(value).ok()?;
    let is_plain = text.len() <= MOST_BYTES && !text.chars().any(char::is_control);
    is_plain.then(|| text.to_owned())
}

/// Text without control characters.
struct Escaped(String);

impl Write for Escaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| self.write_char(char))
    }

    /// Writes a control character as its bytes in hexadecimal (RFC 4514 §2.4).
    fn write_char(&mut self, char: char) -> fmt::Result {
        if self.0.len() >= MOST_BYTES {
            return Err(fmt::Error);
        }
        if !char.is_control() {
            self.0.push(char);
            return Ok(());
        }
        let mut bytes = [0; 4];
        char.encode_utf8(&mut bytes).bytes().try_for_each(|byte| write!(self.0, "\\{byte:02x}"))
    }
}
