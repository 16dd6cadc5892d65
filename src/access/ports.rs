//! Lists of ports, and the default ones.

use std::fmt;
use std::str::FromStr;

/// Default ports for requests: those of the web, and those that no system service uses.
pub(super) const DEFAULT_PORTS: &[(u16, u16)] = &[(80, 80), (443, 443), (1025, 65535)];
/// Default ports for CONNECT: those of the web only, as WebSocket without TLS uses CONNECT too.
pub(super) const DEFAULT_CONNECT_PORTS: &[(u16, u16)] = &[(80, 80), (443, 443)];

/// List of ports and ranges of ports: `80,443,1025-65535`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Returns the list of these ranges, each with its first and its last port.
    pub(super) fn of(ranges: &[(u16, u16)]) -> Self {
        Self(ranges.to_vec())
    }
}

impl Ports {
    /// Returns true if `port` is in the list.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&port))
    }

    /// Returns the number of ranges.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |digits: &str| {
            let port = digits.trim().parse::<u16>().ok().filter(|&port| port > 0);
            port.ok_or_else(|| format!("'{digits}' is not a port (1 to 65535)"))
        };
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (port(first)?, port(last)?);
            if first <= last {
                Ok((first, last))
            } else {
                Err(format!("the range '{part}' is empty"))
            }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}
