//! Actions of bans.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Action of a ban, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BanAction {
    /// Responses are held for [`HOLD`](Self::HOLD): `delay`.
    Delay,
    /// Requests are answered with status 429: `429`.
    TooMany,
    /// Connections are closed without a response: `drop`.
    Drop,
}

impl BanAction {
    /// Time for which responses are held.
    pub const HOLD: Duration = Duration::from_secs(1);

    /// All actions, from the weakest to the strongest.
    pub(super) const ALL: [Self; 3] = [Self::Delay, Self::TooMany, Self::Drop];

    const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::TooMany => "429",
            Self::Drop => "drop",
        }
    }
}

impl FromStr for BanAction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|action| action.name() == text);
        found.ok_or_else(|| format!("'{text}' is none of delay, 429, drop"))
    }
}

impl fmt::Display for BanAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
