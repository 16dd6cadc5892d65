//! Base64 of crypt(3): its own alphabet, the lowest bits first, and the bytes in an order that
//! differs by hash.

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns true if all of `text` is from the alphabet.
pub(super) fn is_text(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Encodes an MD5 hash.
pub(super) fn of_md5(hash: [u8; 16]) -> String {
    let mut out = String::with_capacity(22);
    for i in 0..5 {
        let last = if i < 4 { i + 12 } else { 5 };
        push(&mut out, &[hash[i], hash[i + 6], hash[last]]);
    }
    push(&mut out, &[hash[11]]);
    out
}

/// Encodes a SHA-256 hash: its three thirds side by side, each row rotated to the right by one
/// more.
pub(super) fn of_sha256(hash: [u8; 32]) -> String {
    let mut out = String::with_capacity(43);
    for i in 0..10 {
        let mut row = [hash[i], hash[i + 10], hash[i + 20]];
        row.rotate_right(i % 3);
        push(&mut out, &row);
    }
    push(&mut out, &[hash[31], hash[30]]);
    out
}

/// Encodes a SHA-512 hash: its three thirds side by side, each row rotated to the left by one more.
pub(super) fn of_sha512(hash: [u8; 64]) -> String {
    let mut out = String::with_capacity(86);
    for i in 0..21 {
        let mut row = [hash[i], hash[i + 21], hash[i + 42]];
        row.rotate_left(i % 3);
        push(&mut out, &row);
    }
    push(&mut out, &[hash[63]]);
    out
}

/// Appends up to three bytes, the first the most significant, as one character more than there are
/// bytes.
fn push(out: &mut String, bytes: &[u8]) {
    let mut bits = bytes.iter().fold(0, |bits, &byte| bits * 256 + usize::from(byte));
    for _ in 0..=bytes.len() {
        out.push(char::from(ALPHABET[bits % 64]));
        bits /= 64;
    }
}
