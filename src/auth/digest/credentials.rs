//! What a client answers to a challenge of Digest (RFC 7616 §3.4).

use std::fmt;

use crate::auth::params::{Params, Value};
use crate::auth::username::Named;

use super::extended;

/// The parameters of one answer, as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: Named,
    /// The realm.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// The target of the request, as the client saw it.
    pub uri: String,
    /// The hash of everything, in hexadecimal.
    pub response: String,
    /// The algorithm; none means MD5.
    pub algorithm: Option<String>,
    /// The quality of protection.
    pub qop: String,
    /// How often the nonce was used, this time included: eight hexadecimal digits.
    pub nc: String,
    /// The client's nonce.
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
    /// Reads what follows the name of the scheme. Parameters that are not known are passed over.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut params = Params::parse(text)?;
        let nc = optional(&mut params, "nc").ok_or("the parameter nc is missing")?;
        if nc.len() != 8 || !nc.bytes().all(is_hex) || nc == "00000000" {
            return Err("the parameter nc is no count of eight hexadecimal digits");
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

    /// The count that [`nc`](Self::nc) writes.
    pub(super) fn count(&self) -> u32 {
        u32::from_str_radix(&self.nc, 16).unwrap_or(0)
    }
}

/// A digit as Digest writes them: of letters only the small ones.
const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Either of the two forms of the name, and whether it is hidden.
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
        (Some(_), _) if params.take("username").is_some() => Err("the user is named twice"),
        (Some(name), false) if !name.quoted => {
            let name = extended::parse(&name.text);
            name.map(Named::Plain).ok_or("the parameter username* cannot be read")
        }
        (Some(_), _) => Err("the parameter username* is quoted, or comes with userhash"),
    }
}

/// A parameter that must be there, and quoted (§3.4).
fn quoted(value: Option<Value<'_>>) -> Option<String> {
    value.filter(|value| value.quoted).map(|value| value.text.into_owned())
}

/// A parameter that stands without quotes, or, as several clients send it, with them.
fn optional(params: &mut Params<'_>, name: &str) -> Option<String> {
    params.take(name).map(|value| value.text.into_owned())
}

/// Without what is as good as a password for a while.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credentials");
        shown.field("user", &self.user).field("realm", &self.realm).field("uri", &self.uri);
        shown.field("algorithm", &self.algorithm).field("qop", &self.qop).field("nc", &self.nc);
        shown.finish_non_exhaustive()
    }
}
