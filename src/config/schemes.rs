//! Authentication schemes to offer.

use std::fmt;
use std::str::FromStr;

/// Schemes to offer, written `basic`, `digest` or `basic,digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    pub(super) basic: bool,
    pub(super) digest: bool,
}

impl Schemes {
    pub(super) const ALL: Self = Self { basic: true, digest: true };
}

impl FromStr for Schemes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut schemes = Self { basic: false, digest: false };
        for scheme in text.split(',') {
            match scheme {
                "basic" => schemes.basic = true,
                "digest" => schemes.digest = true,
                _ => return Err(format!("'{text}' is none of basic, digest and basic,digest")),
            }
        }
        Ok(schemes)
    }
}

impl fmt::Display for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.basic, self.digest) {
            (true, true) => "basic,digest",
            (true, false) => "basic",
            _ => "digest",
        })
    }
}
