//! What a client answers to a challenge of Digest (RFC 7616 §3.4).

use std::fmt;

use super::extended;
use crate::auth::params::{Params, Value};

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

/// A user's name, or what hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The name: of `username`, or of `username*`.
    Plain(String),
    /// The hash of name and realm, for which `userhash` was offered (§3.4.4).
    Hashed(String),
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
        let response = string(&mut params, "response")?;
        if !response.bytes().all(is_hex) {
            return Err("the parameter response is not hexadecimal");
        }
        Ok(Self {
            user: user(&mut params)?,
            realm: string(&mut params, "realm")?,
            nonce: string(&mut params, "nonce")?,
            uri: string(&mut params, "uri")?,
            response,
            algorithm: optional(&mut params, "algorithm"),
            qop: optional(&mut params, "qop").ok_or("the parameter qop is missing")?,
            nc,
            cnonce: string(&mut params, "cnonce")?,
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
fn user(params: &mut Params) -> Result<Named, &'static str> {
    let hidden = match optional(params, "userhash") {
        None => false,
        Some(flag) if flag.eq_ignore_ascii_case("false") => false,
        Some(flag) if flag.eq_ignore_ascii_case("true") => true,
        Some(_) => return Err("the parameter userhash is neither true nor false"),
    };
    match (params.take("username"), params.take("username*"), hidden) {
        (Some(name), None, true) => quoted(name, "username").map(Named::Hashed),
        (Some(name), None, false) => quoted(name, "username").map(Named::Plain),
        (None, Some(name), false) if !name.quoted => {
            let name = extended::parse(&name.text);
            name.map(Named::Plain).ok_or("the parameter username* cannot be read")
        }
        (None, Some(_), _) => Err("the parameter username* is quoted, or comes with userhash"),
        (Some(_), Some(_), _) => Err("the user is named twice"),
        (None, None, _) => Err("the parameter username is missing"),
    }
}

/// A parameter that must be there, and quoted (§3.4).
fn string(params: &mut Params, name: &'static str) -> Result<String, &'static str> {
    params.take(name).ok_or_else(|| missing(name)).and_then(|value| quoted(value, name))
}

fn quoted(value: Value, name: &'static str) -> Result<String, &'static str> {
    if value.quoted { Ok(value.text) } else { Err(unquoted(name)) }
}

/// A parameter that stands without quotes, or, as several clients send it, with them.
fn optional(params: &mut Params, name: &str) -> Option<String> {
    params.take(name).map(|value| value.text)
}

fn missing(name: &str) -> &'static str {
    match name {
        "realm" => "the parameter realm is missing",
        "nonce" => "the parameter nonce is missing",
        "uri" => "the parameter uri is missing",
        "response" => "the parameter response is missing",
        _ => "the parameter cnonce is missing",
    }
}

fn unquoted(name: &str) -> &'static str {
    match name {
        "username" => "the parameter username is not quoted",
        "realm" => "the parameter realm is not quoted",
        "nonce" => "the parameter nonce is not quoted",
        "uri" => "the parameter uri is not quoted",
        "response" => "the parameter response is not quoted",
        _ => "the parameter cnonce is not quoted",
    }
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
