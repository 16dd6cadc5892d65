//! What must not be seen: keys, passwords and what is as good as a password.

use std::fmt;
use std::hash::BuildHasher;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher13;
use subtle::ConstantTimeEq;
use zeroize::{Zeroizing, zeroize_stack};

/// A key that only this process knows; 32 bytes of randomness, given by the caller.
///
/// What was made with another one, before a restart, is not recognized any more.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&bytes).expect("a key may have any length"))
    }

    /// What only who has the key can make of `parts`, for one `purpose`.
    pub(super) fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// For tables whose keys others choose.
    pub(super) fn hasher(&self) -> Keyed {
        let mac = self.mac("table", &[]);
        Keyed(*mac.first_chunk().expect("it is shorter"))
    }
}

/// Makes hashers with a key that nobody else knows.
#[derive(Clone)]
pub(super) struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// A password: UTF-8 without control characters (RFC 7617 §2), of bounded length. Its memory is wiped
/// when it is dropped, as that of everything here that holds one.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The most bytes it may have: some hashes take time by the square of the length.
    pub const MAX_LENGTH: usize = 512;

    /// The password that is `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.len() > Self::MAX_LENGTH {
            return Err("the password is longer than 512 bytes");
        }
        if text.contains(char::is_control) {
            return Err("the password holds a control character");
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The hash of user, realm and password that Digest works with (RFC 7616 §3.4.2), in lower-case
/// hexadecimal. Who has it needs no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(Zeroizing<String>);

impl Ha1 {
    /// The hash with these digits.
    pub(super) fn new(digits: String) -> Self {
        Self(Zeroizing::new(digits))
    }

    /// Its digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits.
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

/// Does what works with a password, and wipes the `N` bytes of the stack below: functions of other
/// crates leave copies there.
pub(super) fn wiping_stack<const N: usize, T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let done = apart(work);
    zeroize_stack::<N>();
    done
}

/// Whether both are the same, found out in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::new([7; 32]),
            Password::new("open sesame").unwrap(),
            Ha1::new("0123".into())
        );
        assert_eq!(shown, "Secret(..) Password(..) Ha1(..)");
    }

    #[test]
    fn a_mac_depends_on_key_purpose_and_where_parts_end() {
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
    fn only_who_has_the_key_knows_where_in_a_table_something_stands() {
        let hash = |key| Secret::new([key; 32]).hasher().hash_one("192.0.2.1");
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn passwords_are_text_without_control_characters() {
        assert!(Password::new("pässword: with a colon").is_ok());
        assert!(Password::new("").is_ok());
        for text in ["a\0b", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(513)] {
            assert!(Password::new(text).is_err());
        }
    }
}
