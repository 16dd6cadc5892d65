//! Members of groups of origins in option syntax: `URL [weight=N] [backup] [max-requests=N]`.

use std::fmt;
use std::str::FromStr;

use crate::balance::MemberSettings;
use crate::proxy::OriginUrl;

/// Greatest weight of a member.
const MAX_WEIGHT: u32 = 1000;

/// A member of a group of origins.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberOption {
    /// The URL.
    pub url: OriginUrl,
    /// Weight, and bounds.
    pub settings: MemberSettings,
}

impl FromStr for MemberOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let url: OriginUrl = words.next().ok_or("the URL is missing")?.parse()?;
        let mut settings = MemberSettings::new(url.text().clone());
        for word in words {
            let number = |text: &str, most: u32| {
                let number = text.parse().ok().filter(|number| (1..=most).contains(number));
                number.ok_or_else(|| format!("'{word}': '{text}' is not a number from 1 to {most}"))
            };
            match word.split_once('=') {
                None if word == "backup" => settings.backup = true,
                Some(("weight", text)) => settings.weight = number(text, MAX_WEIGHT)?,
                Some(("max-requests", text)) => {
                    settings.max_requests = Some(number(text, u32::MAX)?);
                }
                _ => {
                    return Err(format!(
                        "'{word}' is none of weight=N, backup, max-requests=N behind the URL"
                    ));
                }
            }
        }
        Ok(Self { url, settings })
    }
}

impl fmt::Display for MemberOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemberSettings { weight, backup, max_requests, .. } = &self.settings;
        write!(f, "{}", self.url)?;
        if *weight != 1 {
            write!(f, " weight={weight}")?;
        }
        if *backup {
            f.write_str(" backup")?;
        }
        max_requests.iter().try_for_each(|most| write!(f, " max-requests={most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_round_trip_and_wrong_ones_are_rejected() {
        for text in
            ["http://h.test:80", "unix:/run/a.sock weight=2", "https://h/a backup max-requests=5"]
        {
            let read: MemberOption = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        for (text, why) in [
            ("", "the URL is missing"),
            ("h:80", "does not begin with http://"),
            ("http://h weight=0", "from 1 to 1000"),
            ("http://h max-requests=x", "'x' is not a number"),
            ("http://h spare", "none of weight=N"),
        ] {
            let error = text.parse::<MemberOption>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
