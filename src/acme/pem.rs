//! PEM (RFC 7468), as keys and chains use it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// Number of characters in a line (RFC 7468 §2).
const LINE: usize = 64;

/// Returns `der` as one PEM section.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(BASE64_STANDARD.encode(der));
    // Room for all of it, so that no copy of a key is left behind in memory that is freed.
    let mut pem = String::with_capacity(text.len() + text.len() / LINE + 2 * label.len() + 64);
    pem.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.extend(["-----END ", label, "-----\n"]);
    pem
}

/// Returns the contents of all sections, which must have this label. Text around sections is
/// ignored (RFC 7468 §2). Returns `None` if a section is malformed or has another label.
pub(super) fn read(label: &str, text: &str) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut sections = Vec::new();
    let mut open: Option<Zeroizing<String>> = None;
    for line in text.lines().map(str::trim) {
        match &mut open {
            None if line == begin => open = Some(Zeroizing::new(String::with_capacity(text.len()))),
            None if line.starts_with("-----") => return None,
            None => {}
            Some(content) if line == end => {
                sections.push(Zeroizing::new(BASE64_STANDARD.decode(content.as_str()).ok()?));
                open = None;
            }
            Some(content) => content.push_str(line),
        }
    }
    open.is_none().then_some(sections)
}
