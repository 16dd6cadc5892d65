//! Password hashes in the formats of `htpasswd`. Verifying one takes time on purpose.

use std::fmt;

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha_crypt::{Params, sha256_crypt, sha512_crypt};
use zeroize::Zeroizing;

use super::secret::{Password, same, wiping_stack};
use super::{apr1, crypt64};

/// Hash of a password, with the function, salt and cost that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: String,
    way: Way,
    /// Start of the hash proper in the text, in bytes.
    hash_at: usize,
}

/// Function, salt and cost of a hash.
#[derive(Clone, PartialEq, Eq)]
enum Way {
    Bcrypt { cost: u32, salt: [u8; 16] },
    Sha256 { params: Params, salt: String },
    Sha512 { params: Params, salt: String },
    Apr1 { salt: String },
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    // The last character of a salt has unused bits, which some programs set.
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Supported costs. `htpasswd` allows no higher ones, and they would take longer than a client
/// waits.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=17;
const MAX_ROUNDS: u32 = 10_000_000;

/// Bytes of a password that bcrypt uses; it ignores the rest.
const BCRYPT_READS: usize = 72;

/// Bytes of the stack in which hashing may leave copies: bcrypt keeps 4 KiB there, some frames
/// deep.
const STACK: usize = 16 * 1024;

const MALFORMED: &str = "the hash is cut short or altered; make the line again";

impl PasswordHash {
    /// Parses a hash: bcrypt (`$2y$`, `$2b$`, `$2a$`), SHA-crypt (`$5$`, `$6$`) or `$apr1$`.
    ///
    /// # Errors
    /// A message that says what is wrong and what to do.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('$').collect();
        let way = match parts[..] {
            ["", "2y" | "2b" | "2a", cost, rest] => Way::bcrypt(cost, rest)?,
            ["", "5", salt, hash] => Way::sha256(Params::RECOMMENDED, salt, hash)?,
            ["", "5", rounds, salt, hash] => Way::sha256(params(rounds)?, salt, hash)?,
            ["", "6", salt, hash] => Way::sha512(Params::RECOMMENDED, salt, hash)?,
            ["", "6", rounds, salt, hash] => Way::sha512(params(rounds)?, salt, hash)?,
            ["", "apr1", salt, hash] => Way::apr1(salt, hash)?,
            _ => return Err(why_not(text)),
        };
        Ok(Self { hash_at: text.len() - way.hash_length(), way, text: text.to_owned() })
    }

    /// Returns the bcrypt hash of `password`, with a cost of 4 to 17 and a random `salt`.
    ///
    /// # Errors
    /// A message that says what is wrong and what to do.
    pub fn bcrypt(password: &Password, cost: u32, salt: [u8; 16]) -> Result<Self, &'static str> {
        if !BCRYPT_COSTS.contains(&cost) {
            return Err("the cost of bcrypt must be 4 to 17");
        }
        if password.as_bytes().len() > BCRYPT_READS {
            return Err("bcrypt uses only 72 bytes of a password; choose a shorter one");
        }
        let way = Way::Bcrypt { cost, salt };
        let start = format!("$2y${cost:02}${}", BASE64.encode(salt));
        Ok(Self { hash_at: start.len(), text: start + &way.hash(password.as_bytes()), way })
    }

    /// Returns true if this is the hash of `password`. Takes milliseconds to seconds.
    #[must_use]
    pub fn verify(&self, password: &Password) -> bool {
        let expected = &self.text.as_bytes()[self.hash_at..];
        let hash = wiping_stack::<STACK, _>(|| self.way.hash(password.as_bytes()));
        same(hash.as_bytes(), expected)
    }

    /// Returns the text of the hash, as files contain it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name of the hash function.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.way {
            Way::Bcrypt { .. } => "bcrypt",
            Way::Sha256 { .. } => "SHA-256 crypt",
            Way::Sha512 { .. } => "SHA-512 crypt",
            Way::Apr1 { .. } => "apr1",
        }
    }
}

impl Way {
    fn bcrypt(cost: &str, rest: &str) -> Result<Self, &'static str> {
        let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost = cost.parse().ok().filter(|_| digits).ok_or(MALFORMED)?;
        if !BCRYPT_COSTS.contains(&cost) {
            return Err("the cost of bcrypt must be 4 to 17; make the line again");
        }
        let (salt, hash) = rest.split_at_checked(22).ok_or(MALFORMED)?;
        let salt = BASE64.decode(salt).ok().and_then(|salt| salt.try_into().ok());
        let way = Self::Bcrypt { cost, salt: salt.ok_or(MALFORMED)? };
        way.checked(hash)
    }

    fn sha256(params: Params, salt: &str, hash: &str) -> Result<Self, &'static str> {
        Self::Sha256 { params, salt: checked_salt(salt, 16)? }.checked(hash)
    }

    fn sha512(params: Params, salt: &str, hash: &str) -> Result<Self, &'static str> {
        Self::Sha512 { params, salt: checked_salt(salt, 16)? }.checked(hash)
    }

    fn apr1(salt: &str, hash: &str) -> Result<Self, &'static str> {
        Self::Apr1 { salt: checked_salt(salt, 8)? }.checked(hash)
    }

    /// Returns `self` if `hash` has the form of its hashes.
    fn checked(self, hash: &str) -> Result<Self, &'static str> {
        let fits = hash.len() == self.hash_length() && crypt64::is_text(hash);
        if fits { Ok(self) } else { Err(MALFORMED) }
    }

    const fn hash_length(&self) -> usize {
        match self {
            Self::Bcrypt { .. } => 31,
            Self::Sha256 { .. } => 43,
            Self::Sha512 { .. } => 86,
            Self::Apr1 { .. } => 22,
        }
    }

    fn hash(&self, password: &[u8]) -> String {
        match self {
            Self::Bcrypt { cost, salt } => {
                // A password that leaves room is terminated by a zero byte.
                let mut ended = Zeroizing::new([password, b"\0"].concat());
                ended.truncate(BCRYPT_READS);
                BASE64.encode(&bcrypt::bcrypt(*cost, *salt, &ended)[..23])
            }
            Self::Sha256 { params, salt } => {
                crypt64::of_sha256(sha256_crypt(password, salt.as_bytes(), *params))
            }
            Self::Sha512 { params, salt } => {
                crypt64::of_sha512(sha512_crypt(password, salt.as_bytes(), *params))
            }
            Self::Apr1 { salt } => crypt64::of_md5(apr1::hash(password, salt.as_bytes())),
        }
    }
}

fn checked_salt(salt: &str, most: usize) -> Result<String, &'static str> {
    let fits = (1..=most).contains(&salt.len()) && salt.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(salt.to_owned()) } else { Err(MALFORMED) }
}

fn params(rounds: &str) -> Result<Params, &'static str> {
    let digits = rounds.strip_prefix("rounds=").ok_or(MALFORMED)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let rounds = digits.parse().ok().filter(|&rounds| plain && rounds <= MAX_ROUNDS);
    rounds
        .and_then(|rounds| Params::new(rounds).ok())
        .ok_or("the rounds must be 1000 to 10000000; make the line again")
}

/// Returns the reason why a text is not a supported hash.
fn why_not(text: &str) -> &'static str {
    if text.starts_with("{SHA}") || text.starts_with("{SSHA}") {
        "a {SHA} hash can be guessed too fast; make the line again with 'htpasswd -B'"
    } else if text.starts_with("$1$") {
        "a $1$ hash is not supported; make the line again with 'htpasswd -B'"
    } else if text.starts_with('$') {
        "the hash is altered, or its kind is not supported; make the line again with 'htpasswd -B'"
    } else {
        "a password in plain text, or a DES hash; make the line again with 'htpasswd -B'"
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({}, ..)", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn verifies(hash: &str, text: &str) -> bool {
        let hash = PasswordHash::parse(hash).unwrap();
        assert!(!hash.verify(&password(&format!("{text}?"))) || text.len() >= BCRYPT_READS);
        hash.verify(&password(text))
    }

    #[test]
    fn hashes_of_openssl_are_verified() {
        let long = "correct horse battery staple is longer than one block of sixteen bytes";
        for (hash, text) in [
            ("$apr1$saltsalt$553eXAj/BD3irf9w9nutz/", "pässword"),
            ("$apr1$8sFt66rZ$.mTJX965GOrHVdjbTM7ak0", long),
            ("$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.", ""),
            ("$5$saltsalt$rQBvFGQx3u6doxkk7cvWbhhnhS2qa1.FI.tt6NGFH66", "pässword"),
            ("$5$8sFt66rZ$nG8FlfP347vc7iLOXDTfJc3.rhDLqXDCzrdFClaQzM7", long),
            (
                "$6$saltsalt$rVIyJtXnL0mXUCLepstXWqeOv9JVyd7nOH8wn0BvOU5lCiAviUJLxXZ5CkPgq6XNTHV22yG4mV0IO9gqPL5WQ.",
                "pässword",
            ),
            (
                "$6$8sFt66rZ$Pql4XxKCFOK.VVl.T3J..PI8QzQtWftXTsK6t5vDgtp0Tr.yei28Y0d0baR4Kn/zppi/ph/08fb.d1KKfYXKQ/",
                long,
            ),
        ] {
            assert!(verifies(hash, text), "{hash}");
        }
    }

    #[test]
    fn hashes_of_htpasswd_and_crypt_are_verified() {
        for (hash, text) in [
            ("$2y$05$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjddC", "secret"),
            ("$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq", ""),
            ("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", &"x".repeat(80)),
            ("$apr1$dpWweCo.$3lg41Q0jCVg8tM730gOJ60", "secret"),
            ("$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "secret"),
            (
                "$6$rounds=1000$abc$MqEcPZUYRGGcOeq7PhMpfjfu/F0HrVEI0OlZBijWvO8mSG77iNUDP5MqFceKpJTBc8iITVtNyLiNTRNCxv6oh0",
                "secret",
            ),
        ] {
            assert!(verifies(hash, text), "{hash}");
        }
    }

    #[test]
    fn bcrypt_hashes_round_trip() {
        let made = PasswordHash::bcrypt(&password("secret"), 4, [0x5a; 16]).unwrap();
        assert_eq!(made.as_str().len(), 60);
        assert_eq!(PasswordHash::parse(made.as_str()), Ok(made.clone()));
        assert!(made.verify(&password("secret")) && !made.verify(&password("Secret")));
        assert_eq!(format!("{made:?}"), "PasswordHash(bcrypt, ..)");
        let longest = password(&"x".repeat(72));
        assert!(PasswordHash::bcrypt(&longest, 4, [0; 16]).unwrap().verify(&longest));
        assert!(PasswordHash::bcrypt(&password(&"x".repeat(73)), 4, [0; 16]).is_err());
        assert!(PasswordHash::bcrypt(&password("x"), 31, [0; 16]).is_err());
    }

    #[test]
    fn other_hashes_are_rejected() {
        for (text, because) in [
            ("secret", "plain text"),
            ("", "plain text"),
            ("TkwFJC4OUZQe.", "DES"),
            ("{SHA}oPFJCiDQIRyZe0S8NX4Zct6riuM=", "{SHA}"),
            ("$1$abc$BXBqpb9BZcZhXLgbee.0s/", "$1$"),
            ("$y$j9T$abc$def", "not supported"),
            ("$2x$05$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjddC", "not supported"),
            ("$2y$31$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjddC", "cost"),
            ("$2y$+5$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjddC", "altered"),
            ("$2y$05$XM5JBWUgkAT7pADTer6TBeyUpDI7MJqoU0Dp06TnmZaNmtSGnjdd", "cut short"),
            ("$2y$05$short", "cut short"),
            ("$5$rounds=999$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "rounds"),
            ("$5$rounds=99999999$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "rounds"),
            ("$5$rounds=+1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "rounds"),
            ("$5$rounds=01000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "rounds"),
            ("$5$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y", "cut short"),
            ("$5$$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8", "altered"),
            ("$apr1$dpWweCo.x$3lg41Q0jCVg8tM730gOJ60", "altered"),
            ("$apr1$dpWweCo.$3lg41Q0jCVg8tM730gOJ6!", "altered"),
        ] {
            let why = PasswordHash::parse(text).unwrap_err();
            assert!(why.contains(because), "{text}: {why}");
        }
    }
}
