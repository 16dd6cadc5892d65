//! Scheme `Basic` (RFC 7617).

use base64::engine::general_purpose::STANDARD;
use base64::{Engine, decoded_len_estimate};
use zeroize::Zeroizing;

use super::params::quoted;
use super::realm::Realm;
use super::secret::Password;

/// User name and password of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the user.
    pub user: String,
    /// Password sent with it.
    pub password: Password,
}

impl Credentials {
    /// Parses the text after the scheme's name (RFC 7617 §2): padded base64 of UTF-8, in which the
    /// first colon ends the user's name.
    ///
    /// # Errors
    /// A message that says what is malformed.
    pub fn parse(token: &[u8]) -> Result<Self, &'static str> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(decoded_len_estimate(token.len())));
        let decoded = STANDARD.decode_vec(token, &mut bytes);
        decoded.map_err(|_| "the Basic credentials are not base64")?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| "the Basic credentials are not UTF-8")?;
        let (user, password) = text.split_once(':').ok_or("the Basic credentials have no colon")?;
        if user.contains(char::is_control) {
            return Err("the user's name contains a control character");
        }
        Ok(Self { user: user.to_owned(), password: Password::new(password)? })
    }
}

/// Returns the challenge of `realm` (§2.1).
#[must_use]
pub(super) fn challenge(realm: &Realm) -> String {
    format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(token: &str) -> Result<(String, Password), &'static str> {
        Credentials::parse(token.as_bytes()).map(|read| (read.user, read.password))
    }

    fn pair(user: &str, password: &str) -> (String, Password) {
        (user.into(), Password::new(password).unwrap())
    }

    #[test]
    fn examples_of_the_rfc_are_parsed() {
        assert_eq!(parse("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(pair("Aladdin", "open sesame")));
        assert_eq!(parse("dGVzdDoxMjPCow=="), Ok(pair("test", "123£")));
        let challenge = challenge(&"foo \"bar\"".parse().unwrap());
        assert_eq!(challenge, r#"Basic realm="foo \"bar\"", charset="UTF-8""#);
    }

    #[test]
    fn malformed_credentials_are_rejected() {
        for token in [
            "",
            "====",
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ=",     // padding cut short
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ",      // no padding
            "QWxhZGRpbjpvcGVuIHNlc2FtZR==",    // unused bits set
            "QWxhZGRpbjpv cGVuIHNlc2FtZQ==",   // a space
            "QWxhZGRpbg==",                    // no colon
            "YTpiCg==",                        // a line end in the password
            "YQA6Yg==",                        // a NUL in the name
            "dGVzdDoxMjOj",                    // Latin-1
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==, a", // a list
        ] {
            assert!(parse(token).is_err(), "{token}");
        }
    }

    proptest! {
        #[test]
        fn credentials_round_trip(user in "[^:\\p{Cc}]{0,40}", password in "[^\\p{Cc}]{0,40}") {
            let token = STANDARD.encode(format!("{user}:{password}"));
            prop_assert_eq!(parse(&token), Ok(pair(&user, &password)));
        }
    }
}
