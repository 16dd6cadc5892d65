//! Entries of the systemd journal, in its native protocol.

use super::members::{Members, text_of};
use super::severity::Severity;

/// Most bytes of a value: an entry with several of them fits into a datagram.
const LONGEST: usize = 16 * 1024;
/// End of a value that was cut.
const CUT: &str = "…";
/// Most bytes of the name of a field.
const LONGEST_NAME: usize = 64;
/// Most fields of an entry.
const MOST_FIELDS: usize = 64;

/// Returns the entry of a line, and true if a value of more than 16 KiB was cut. A line in JSON has a field
/// `TIDEGATE_NAME` for each member; any other line is a message.
#[must_use]
pub fn entry(line: &str) -> (Vec<u8>, bool) {
    let mut entry = Entry::default();
    let Some(members) = Members::read(line) else {
        entry.begin(line, Severity::Info);
        return (entry.out, entry.is_cut);
    };
    entry.begin(&members.message(), members.severity());
    for (name, value) in members.flat('_').into_iter().take(MOST_FIELDS) {
        entry.push(&field_name(&name), &text_of(value));
    }
    (entry.out, entry.is_cut)
}

/// Returns the name of a field: letters in upper case, digits and `_`.
fn field_name(member: &str) -> String {
    let valid =
        |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
    let name = format!("TIDEGATE_{member}");
    name.chars().map(valid).take(LONGEST_NAME).collect()
}

#[derive(Default)]
struct Entry {
    out: Vec<u8>,
    is_cut: bool,
}

impl Entry {
    fn begin(&mut self, message: &str, severity: Severity) {
        self.push("MESSAGE", message);
        self.push("PRIORITY", &severity.number().to_string());
        self.push("SYSLOG_IDENTIFIER", "tidegate");
    }

    /// Adds a field. A value with a line end is preceded by its length.
    fn push(&mut self, name: &str, value: &str) {
        let mut end = value.len();
        if end > LONGEST {
            end = value.floor_char_boundary(LONGEST - CUT.len());
            self.is_cut = true;
        }
        let cut = if end < value.len() { CUT } else { "" };
        let value = [&value[..end], cut].concat();
        self.out.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            self.out.push(b'\n');
            self.out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.out.push(b'=');
        }
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'\n');
    }
}
