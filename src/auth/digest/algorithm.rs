//! The hash functions of Digest, and what is made with them (RFC 7616 §3.4).

use md5::{Digest, Md5};
use sha2::Sha256;

use super::credentials::Credentials;
use crate::auth::realm::Realm;
use crate::auth::secret::{Ha1, Password, same};

/// A hash function of Digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, which is to be preferred.
    Sha256,
    /// MD5, for clients that know no other.
    Md5,
}

impl Algorithm {
    /// All there are, the best first.
    pub const ALL: &'static [Self] = &[Self::Sha256, Self::Md5];

    /// Its name in challenges and credentials (§6.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// That of this name, in any case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| of.name().eq_ignore_ascii_case(name))
    }

    /// How many hexadecimal digits a hash has.
    pub(in crate::auth) const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }

    /// The hash of `parts` with colons between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        let joined = parts.join(&b':');
        match self {
            Self::Sha256 => hex(&Sha256::digest(joined)),
            Self::Md5 => hex(&Md5::digest(joined)),
        }
    }

    /// What serves instead of the password (§3.4.2).
    pub(in crate::auth) fn ha1(self, user: &str, realm: &Realm, password: &Password) -> Ha1 {
        Ha1(self.hash(&[user.as_bytes(), realm.as_str().as_bytes(), password.as_bytes()]))
    }

    /// Whether `ha1` is made of `password`.
    pub(in crate::auth) fn matches(
        self,
        ha1: &Ha1,
        user: &str,
        realm: &Realm,
        password: &Password,
    ) -> bool {
        same(ha1.as_bytes(), self.ha1(user, realm, password).as_bytes())
    }

    /// A user's name as `userhash` hides it (§3.4.4).
    pub(in crate::auth) fn userhash(self, user: &str, realm: &Realm) -> String {
        self.hash(&[user.as_bytes(), realm.as_str().as_bytes()])
    }

    /// What the client's `response` must be (§3.4.1); without a method, the server's `rspauth`
    /// (§3.5).
    pub(super) fn response(self, ha1: &Ha1, method: &str, sent: &Credentials) -> String {
        let ha2 = self.hash(&[method.as_bytes(), sent.uri.as_bytes()]);
        self.hash(&[
            ha1.as_bytes(),
            sent.nonce.as_bytes(),
            sent.nc.as_bytes(),
            sent.cnonce.as_bytes(),
            b"auth",
            ha2.as_bytes(),
        ])
    }

    /// An [`Ha1`] of nobody, made of arbitrary bytes.
    pub(in crate::auth) fn nobodys(self, bytes: &[u8]) -> Ha1 {
        Ha1(self.hash(&[bytes]))
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
