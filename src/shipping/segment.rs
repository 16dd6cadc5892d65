//! Files of a spool: a header, and the lines of a batch.

use flate2::Crc;

/// First word of a header.
const MAGIC: &str = "tidegate-spool-1";

/// Returns the content of the file for lines: `MAGIC LINES LENGTH CRC32`, a line end, and the lines.
#[must_use]
pub fn encode_segment(lines: &str) -> Vec<u8> {
    let (number, length) = (lines.lines().count(), lines.len());
    let header = format!("{MAGIC} {number} {length} {:08x}\n", checksum(lines.as_bytes()));
    [header.as_bytes(), lines.as_bytes()].concat()
}

/// Returns the lines of a file.
///
/// # Errors
/// Returns the number of lines that are lost if the file is damaged, such as one that was not written to its
/// end: 1 if the header is damaged, too.
pub fn decode_segment(content: &[u8]) -> Result<String, u64> {
    let (number, lines) = parts(content).ok_or(1_u64)?;
    lines.ok_or(number)
}

/// Returns the number of lines of the header, and the lines if they are whole.
fn parts(content: &[u8]) -> Option<(u64, Option<String>)> {
    let end = content.iter().position(|&byte| byte == b'\n')?;
    let mut words = std::str::from_utf8(&content[..end]).ok()?.split(' ');
    if words.next() != Some(MAGIC) {
        return None;
    }
    let number = words.next()?.parse().ok()?;
    let length: usize = words.next()?.parse().ok()?;
    let sum = u32::from_str_radix(words.next()?, 16).ok()?;
    let lines = &content[end + 1..];
    let is_whole = lines.len() == length && checksum(lines) == sum;
    let lines = is_whole.then(|| String::from_utf8(lines.to_vec()).ok()).flatten();
    Some((number, lines))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
