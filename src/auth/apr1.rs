//! MD5-based hash, the default of `htpasswd`. It is fast, so it protects little; it is supported
//! because many files contain it.

use md5::{Digest, Md5};

const MAGIC: &[u8] = b"$apr1$";
const ROUNDS: usize = 1000;

/// Returns the hash of `password` with `salt`.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let mut hash = first(password, salt);
    for round in 0..ROUNDS {
        hash = next(round, hash, password, salt);
    }
    hash
}

fn first(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = md5(&[password, salt, password]);
    let mut outer = Md5::new().chain_update(password).chain_update(MAGIC).chain_update(salt);
    for piece in password.chunks(inner.len()) {
        outer.update(&inner[..piece.len()]);
    }
    // One byte for each binary digit of the length, the lowest first: zero for a one, and the
    // password's first byte for a zero.
    let mut length = password.len();
    while length > 0 {
        outer.update([if length % 2 == 1 { 0 } else { password[0] }]);
        length /= 2;
    }
    outer.finalize().into()
}

fn next(round: usize, hash: [u8; 16], password: &[u8], salt: &[u8]) -> [u8; 16] {
    let unless_multiple = |of: usize, part| if round.is_multiple_of(of) { &[][..] } else { part };
    let (head, tail) = if round % 2 == 1 { (password, &hash[..]) } else { (&hash[..], password) };
    md5(&[head, unless_multiple(3, salt), unless_multiple(7, password), tail])
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    parts.iter().fold(Md5::new(), Digest::chain_update).finalize().into()
}
