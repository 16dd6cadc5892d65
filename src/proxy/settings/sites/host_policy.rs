//! The `Host` that origins get.

use std::fmt;
use std::str::FromStr;

use crate::http::Authority;

/// The `Host` of requests to origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// That of the client.
    #[default]
    Preserve,
    /// Host and port of the origin's URL.
    Origin,
    /// This one.
    Fixed(Box<str>),
}

impl FromStr for HostPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "preserve" => Ok(Self::Preserve),
            "origin" => Ok(Self::Origin),
            name => match Authority::parse(name.as_bytes()) {
                Ok(_) => Ok(Self::Fixed(name.into())),
                Err(_) => Err(format!("'{name}' is neither preserve nor origin nor HOST[:PORT]")),
            },
        }
    }
}

impl fmt::Display for HostPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preserve => "preserve",
            Self::Origin => "origin",
            Self::Fixed(name) => name,
        })
    }
}
