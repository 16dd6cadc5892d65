//! Commands about bans of clients: `tidegate bans`.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use crate::access::Cidr;
use crate::proxy::shared::Shared;
use crate::throttle::{BanAction, Entry};
use crate::time::{Now, read_duration, write_duration};

/// Command about bans of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanCommand {
    /// Lists the bans in force.
    List,
    /// Bans a network.
    Add {
        /// Network to ban.
        network: Cidr,
        /// Action of the ban.
        action: BanAction,
        /// Time for which the ban is in force.
        time: Duration,
        /// Words of the operator, one line; may be empty.
        why: String,
    },
    /// Lifts the bans of a network, and of networks inside it.
    Lift {
        /// The network.
        network: Cidr,
    },
}

/// The command, as the control socket takes it.
impl Display for BanCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List => f.write_str("list"),
            Self::Add { network, action, time, why } => {
                write!(f, "add {network} {action} {} {why}", write_duration(*time))
            }
            Self::Lift { network } => write!(f, "lift {network}"),
        }
    }
}

impl BanCommand {
    /// Returns the command that bans a network, from texts. Network, action and time are parsed.
    ///
    /// # Errors
    /// A message about the text that is wrong.
    pub fn add(network: &str, action: &str, time: &str, why: &str) -> Result<Self, String> {
        let (network, action, time) =
            (read_network(network)?, action.parse()?, Self::read_time(time)?);
        Ok(Self::Add { network, action, time, why: why.to_owned() })
    }

    /// Parses the time of a ban.
    ///
    /// # Errors
    /// A message if the text is no time, or zero.
    pub fn read_time(text: &str) -> Result<Duration, String> {
        let time = read_duration(text).filter(|time| !time.is_zero());
        time.ok_or_else(|| format!("'{text}' is not a time such as 30s, 10m or 24h"))
    }

    /// Returns the command that lifts the bans of a network.
    ///
    /// # Errors
    /// A message if the text is no network.
    pub fn lift(network: &str) -> Result<Self, String> {
        read_network(network).map(|network| Self::Lift { network })
    }

    /// Parses the words after `bans`.
    ///
    /// # Errors
    /// A message about the word that is wrong.
    pub(super) fn parse(words: &str) -> Result<Self, String> {
        let mut parts = words.splitn(5, ' ');
        let mut next = || parts.next().unwrap_or_default();
        match (next(), next()) {
            ("list", "") => Ok(Self::List),
            ("add", network) => Self::add(network, next(), next(), next()),
            ("lift", network) => Self::lift(network),
            _ => Err(format!("unknown command 'bans {words}'")),
        }
    }

    /// Carries the command out. Returns the text for the operator.
    ///
    /// # Errors
    /// The reason if the network may not be banned, or has no ban.
    pub(super) fn execute(&self, shared: &mut Shared, now: Now) -> Result<String, String> {
        let (bans, counters) = (&mut shared.throttling.bans, &mut shared.counters.client_bans);
        match self {
            Self::List => Ok(list(&bans.list(now))),
            Self::Add { network, action, time, why } => {
                let line = bans.ban(*network, (*action, *time, why), counters, now)?;
                Ok(format!("{line}\n"))
            }
            Self::Lift { network } => {
                let lifted = bans.lift(*network);
                let lines =
                    lifted.iter().map(|ban| format!("lifted {} ({})\n", ban.network, ban.action));
                match lifted.is_empty() {
                    true => Err(missing(*network, &bans.list(now))),
                    false => Ok(lines.collect()),
                }
            }
        }
    }
}

fn read_network(text: &str) -> Result<Cidr, String> {
    Cidr::read(text, "an address or network, such as 192.0.2.7 or 192.0.2.0/24")
}

/// Returns the reason for which there is nothing to lift, with the network around it that is banned.
fn missing(network: Cidr, bans: &[Entry]) -> String {
    match bans.iter().find(|ban| ban.network.covers(&network)) {
        Some(ban) => format!(
            "{network} has no ban of its own; it is part of {}, which is banned",
            ban.network
        ),
        None => format!("{network} has no ban; 'tidegate bans' lists the bans in force"),
    }
}

/// Returns a line for each ban.
fn list(bans: &[Entry]) -> String {
    let mut text = String::new();
    for Entry { network, action, left, offences, by_operator, why, .. } in bans {
        let left = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        let by = if *by_operator { "operator".to_owned() } else { format!("{offences} offences") };
        // A String takes all that is written.
        let _ = writeln!(text, "{network}  {action}  {} left  {by}  {why}", write_duration(left));
    }
    if text.is_empty() { "no bans\n".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_round_trip() {
        for line in [
            "list",
            "add 192.0.2.0/24 drop 10m ",
            "add 2001:db8::/48 429 1500ms port scans, again",
            "add 192.0.2.7 delay 24h x",
            "lift 192.0.2.7",
        ] {
            assert_eq!(BanCommand::parse(line).unwrap().to_string(), line);
        }
    }

    #[test]
    fn wrong_words_are_rejected_with_the_reason() {
        for (line, message) in [
            ("", "unknown command 'bans '"),
            ("list all", "unknown command 'bans list all'"),
            (
                "add 192.0.2.300 drop 10m",
                "'192.0.2.300' is not an address or network, such as 192.0.2.7 or 192.0.2.0/24",
            ),
            ("add 192.0.2.3 block 10m", "'block' is none of delay, 429, drop"),
            ("add 192.0.2.3 drop ten", "'ten' is not a time such as 30s, 10m or 24h"),
            ("add 192.0.2.3 drop 0s", "'0s' is not a time such as 30s, 10m or 24h"),
            (
                "lift 192.0.2.7/24",
                "'192.0.2.7/24' has bits set behind the prefix; did you mean 192.0.2.0/24?",
            ),
            ("lift x", "'x' is not an address or network, such as 192.0.2.7 or 192.0.2.0/24"),
        ] {
            assert_eq!(BanCommand::parse(line).unwrap_err(), message);
        }
    }
}
