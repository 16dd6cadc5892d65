//! Hash functions of Digest, and the values computed with them (RFC 7616 §3.4).

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::auth::digest::credentials::Credentials;

use super::realm::Realm;
use super::secret::{Ha1, Password, same};

/// Hash function of Digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the preferred one.
    Sha256,
    /// MD5, for clients that support nothing else.
    Md5,
}

impl Algorithm {
    /// All algorithms, the best first.
    pub const ALL: &'static [Self] = &[Self::Sha256, Self::Md5];

    /// Returns the name in challenges and credentials (§6.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Returns the algorithm of this name, in any case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| of.name().eq_ignore_ascii_case(name))
    }

    /// Returns the number of hexadecimal digits of a hash.
    pub(super) const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }

    /// Returns the hash of `parts`, joined with colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Sha256 => hex(&joined::<Sha256>(parts).finalize()),
            Self::Md5 => hex(&joined::<Md5>(parts).finalize()),
        }
    }

    /// Returns the hash that replaces the password (§3.4.2).
    pub(super) fn ha1(self, user: &str, realm: &Realm, password: &Password) -> Ha1 {
        Ha1::new(self.hash(&[user.as_bytes(), realm.as_str().as_bytes(), password.as_bytes()]))
    }

    /// Returns true if `ha1` is the hash of `password`.
    pub(super) fn matches(self, ha1: &Ha1, user: &str, realm: &Realm, password: &Password) -> bool {
        same(ha1.as_bytes(), self.ha1(user, realm, password).as_bytes())
    }

    /// Returns the hash that `userhash` sends in place of the user's name (§3.4.4).
    pub(super) fn userhash(self, user: &str, realm: &Realm) -> String {
        self.hash(&[user.as_bytes(), realm.as_str().as_bytes()])
    }

    /// Returns the `response` expected from the client (§3.4.1), and the server's `rspauth`, which
    /// is computed without a method (§3.5).
    pub(super) fn responses(self, ha1: &Ha1, method: &str, sent: &Credentials) -> [String; 2] {
        let ha2 = |method: &str| self.hash(&[method.as_bytes(), sent.uri.as_bytes()]);
        let ends = [ha2(method), ha2("")];
        let same = [
            ha1.as_bytes(),
            sent.nonce.as_bytes(),
            sent.nc.as_bytes(),
            sent.cnonce.as_bytes(),
            b"auth",
            b"",
        ];
        match self {
            Self::Sha256 => {
                let begin = joined::<Sha256>(&same);
                ends.map(|end| hex(&begin.clone().chain_update(end).finalize()))
            }
            Self::Md5 => {
                let begin = joined::<Md5>(&same);
                ends.map(|end| hex(&begin.clone().chain_update(end).finalize()))
            }
        }
    }

    /// Returns an [`Ha1`] made of arbitrary bytes, which belongs to no user.
    pub(super) fn decoy(self, bytes: &[u8]) -> Ha1 {
        Ha1::new(self.hash(&[bytes]))
    }
}

/// Returns a hash state that has consumed `parts`, joined with colons.
fn joined<D: Digest>(parts: &[&[u8]]) -> D {
    let mut hash = D::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
    out
}
