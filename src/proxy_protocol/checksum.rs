//! CRC32c of a header (§2.2.3; RFC 9260, Appendix A).

/// Polynomial of CRC32c, with its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Remainders of the 256 values of a byte.
const TABLE: [u32; 256] = table();

/// Returns true if the four bytes at `at` are the checksum of all bytes, with zeros in their place.
pub(super) fn is_right(header: &[u8], at: usize) -> bool {
    let (before, rest) = header.split_at(at);
    let Some((checksum, after)) = rest.split_first_chunk::<4>() else { return false };
    let bytes = before.iter().chain(&[0; 4]).chain(after);
    crc32c(bytes.copied()) == u32::from_be_bytes(*checksum)
}

pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc: u32, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE[usize::from(low ^ byte)]
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut value: u32 = 0;
    while value < 256 {
        let (mut remainder, mut bit) = (value, 0);
        while bit < 8 {
            let subtrahend = if remainder & 1 == 1 { POLYNOMIAL } else { 0 };
            remainder = (remainder >> 1) ^ subtrahend;
            bit += 1;
        }
        table[value as usize] = remainder;
        value += 1;
    }
    table
}
