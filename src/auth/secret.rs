//! Values that must not be shown: keys, passwords and their equivalents.

use std::fmt;
use std::hash::BuildHasher;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher13;
use subtle::ConstantTimeEq;
use zeroize::{Zeroizing, zeroize_stack};

/// Key that only this process knows: 32 random bytes, supplied by the caller.
///
/// Values made with another key, before a restart, are not recognized.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// Returns the key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&bytes).expect("a key may have any length"))
    }

    /// Returns the authentication code of `parts`, for one `purpose`. Only a holder of the key can
    /// compute it.
    pub(super) fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Returns a hasher for tables whose keys are chosen by peers.
    pub(super) fn hasher(&self) -> Keyed {
        let mac = self.mac("table", &[]);
        Keyed(*mac.first_chunk().expect("it is shorter"))
    }
}

/// Builds hashers with a key that peers do not know.
#[derive(Clone)]
pub(super) struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// Password: UTF-8 without control characters (RFC 7617 §2), of bounded length. Its memory is wiped
/// on drop, like that of every type here that contains one.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Most bytes of a password: some hashes take time quadratic in its length.
    pub const MAX_LENGTH: usize = 512;

    /// Returns the password `text`.
    ///
    /// # Errors
    /// A message if `text` is too long or contains a control character.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.len() > Self::MAX_LENGTH {
            return Err("the password is longer than 512 bytes");
        }
        if text.contains(char::is_control) {
            return Err("the password contains a control character");
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the bytes of the password.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Hash of user, realm and password that Digest works with (RFC 7616 §3.4.2), in lower-case
/// hexadecimal. A holder of the hash needs no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(Zeroizing<String>);

impl Ha1 {
    /// Returns the hash with these digits.
    pub(super) fn new(digits: String) -> Self {
        Self(Zeroizing::new(digits))
    }

    /// Returns the digits as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digits as bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

macro_rules! redacted {
    ($($type:ident)*) => {
        $(impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(..)"))
            }
        })*
    };
}

redacted!(Secret Keyed Password Ha1);

/// Runs `work`, which handles a password, and then wipes `N` bytes of the stack below: functions of
/// other crates leave copies there.
pub(super) fn wiping_stack<const N: usize, T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let done = apart(work);
    zeroize_stack::<N>();
    done
}

/// Returns true if both are equal, in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::new([7; 32]),
            Password::new("open sesame").unwrap(),
            Ha1::new("0123".into())
        );
        assert_eq!(shown, "Secret(..) Password(..) Ha1(..)");
    }

    #[test]
    fn mac_depends_on_key_purpose_and_part_boundaries() {
        let mac = |key, purpose, parts: &[&[u8]]| Secret::new([key; 32]).mac(purpose, parts);
        let one = mac(1, "a", &[b"bc", b"d"]);
        assert_eq!(one, mac(1, "a", &[b"bc", b"d"]));
        for other in [
            mac(2, "a", &[b"bc", b"d"]),
            mac(1, "b", &[b"bc", b"d"]),
            mac(1, "a", &[b"b", b"cd"]),
            mac(1, "a", &[b"bcd"]),
            mac(1, "ab", &[b"c", b"d"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn table_hash_depends_on_the_key() {
        let hash = |key| Secret::new([key; 32]).hasher().hash_one("192.0.2.1");
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn passwords_with_control_characters_are_rejected() {
        assert!(Password::new("pässword: with a colon").is_ok());
        assert!(Password::new("").is_ok());
        for text in ["a\0b", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(513)] {
            assert!(Password::new(text).is_err());
        }
    }
}
