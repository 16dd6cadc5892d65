//! Credentials of Digest, the answer to its challenge (RFC 7616 §3.4).

use std::fmt;

use crate::auth::params::{Params, Value};
use crate::auth::username::Named;

use super::extended;

/// Parameters of the credentials, as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User that the credentials name.
    pub user: Named,
    /// Realm of the challenge.
    pub realm: String,
    /// Nonce of the challenge.
    pub nonce: String,
    /// Target of the request, as the client saw it.
    pub uri: String,
    /// Hash over the secret and the request, in hexadecimal.
    pub response: String,
    /// Algorithm; `None` means MD5.
    pub algorithm: Option<String>,
    /// Quality of protection.
    pub qop: String,
    /// Number of uses of the nonce, this one included: eight hexadecimal digits.
    pub nc: String,
    /// Nonce chosen by the client.
    pub cnonce: String,
}

macro_rules! string {
    ($params:ident, $name:literal) => {
        quoted($params.take($name)).ok_or(concat!(
            "the parameter ",
            $name,
            " is missing or not quoted"
        ))
    };
}

impl Credentials {
    /// Parses the text after the scheme's name. Unknown parameters are ignored.
    ///
    /// # Errors
    /// A message that says what is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut params = Params::parse(text)?;
        let nc = optional(&mut params, "nc").ok_or("the parameter nc is missing")?;
        if nc.len() != 8 || !nc.bytes().all(is_hex) || nc == "00000000" {
            return Err("the parameter nc is not a count of eight hexadecimal digits");
        }
        let response = string!(params, "response")?;
        if !response.bytes().all(is_hex) {
            return Err("the parameter response is not hexadecimal");
        }
        Ok(Self {
            user: user(&mut params)?,
            realm: string!(params, "realm")?,
            nonce: string!(params, "nonce")?,
            uri: string!(params, "uri")?,
            response,
            algorithm: optional(&mut params, "algorithm"),
            qop: optional(&mut params, "qop").ok_or("the parameter qop is missing")?,
            nc,
            cnonce: string!(params, "cnonce")?,
        })
    }

    /// Returns the count that [`nc`](Self::nc) states.
    pub(super) fn count(&self) -> u32 {
        u32::from_str_radix(&self.nc, 16).unwrap_or(0)
    }
}

/// Returns true for a hexadecimal digit as Digest writes it, in lower case only.
const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Returns the user's name from either of its two parameters, or the hash that hides it.
fn user(params: &mut Params<'_>) -> Result<Named, &'static str> {
    let hidden = match optional(params, "userhash") {
        None => false,
        Some(flag) if flag.eq_ignore_ascii_case("false") => false,
        Some(flag) if flag.eq_ignore_ascii_case("true") => true,
        Some(_) => return Err("the parameter userhash is neither true nor false"),
    };
    match (params.take("username*"), hidden) {
        (None, hidden) => {
            let name = string!(params, "username")?;
            Ok(if hidden { Named::Hashed(name) } else { Named::Plain(name) })
        }
        (Some(_), _) if params.take("username").is_some() => {
            Err("the user is named by both username and username*")
        }
        (Some(name), false) if !name.quoted => {
            let name = extended::parse(&name.text);
            name.map(Named::Plain).ok_or("the parameter username* is malformed")
        }
        (Some(_), _) => Err("the parameter username* is quoted, or used together with userhash"),
    }
}

/// Returns a mandatory parameter, which must be quoted (§3.4).
fn quoted(value: Option<Value<'_>>) -> Option<String> {
    value.filter(|value| value.quoted).map(|value| value.text.into_owned())
}

/// Returns a parameter that should be unquoted. Several clients quote it.
fn optional(params: &mut Params<'_>, name: &str) -> Option<String> {
    params.take(name).map(|value| value.text.into_owned())
}

/// Leaves out values that are as good as a password for a while.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credentials");
        shown.field("user", &self.user).field("realm", &self.realm).field("uri", &self.uri);
        shown.field("algorithm", &self.algorithm).field("qop", &self.qop).field("nc", &self.nc);
        shown.finish_non_exhaustive()
    }
}
