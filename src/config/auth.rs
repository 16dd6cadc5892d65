//! Options about users, and the rules that follow from them.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::auth::{Authenticator, FailureLimit, Realm, Secret, Settings, Side, Users};
use crate::proxy::AuthRules;

/// Everything that was said about users.
#[derive(Clone, Debug)]
pub struct AuthOptions {
    /// Files of users.
    pub files: Vec<String>,
    /// The schemes that are offered; all that the files serve, if it was not said.
    pub schemes: Option<Schemes>,
    /// What is protected.
    pub realm: Realm,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// How often a client may be wrong.
    pub ban: FailureLimit,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            schemes: None,
            realm: "tidegate".parse().expect("it is a realm"),
            nonce_lifetime: Duration::from_secs(300),
            ban: "20/1m".parse().expect("it is a limit"),
        }
    }
}

impl AuthOptions {
    /// The rules for users, who are read from their files; none if there are no files.
    ///
    /// # Errors
    /// What is wrong in a file, or does not go together, and what to do about it.
    pub(super) fn rules(&self, side: Side) -> Result<Option<AuthRules>, String> {
        if self.files.is_empty() {
            return match self.schemes {
                Some(_) => Err("--auth says how, but not who; add --users FILE".into()),
                None => Ok(None),
            };
        }
        let users = read(&self.files)?;
        let Schemes { basic, digest } = self.schemes.unwrap_or(Schemes::ALL);
        let settings = Settings {
            basic,
            digest,
            nonce_lifetime: self.nonce_lifetime,
            ..Settings::new(side, self.realm.clone())
        };
        self.check(&settings, &users)?;
        Ok(Some(AuthRules { settings, users, ban: self.ban }))
    }

    /// Whoever was asked for and cannot be served would be locked out silently.
    fn check(&self, settings: &Settings, users: &Users) -> Result<(), String> {
        let (files, realm) = (self.files.join(", "), &self.realm);
        let serves = |settings: Settings| {
            Authenticator::new(settings, users.clone(), &Secret::new([0; 32])).knows_anybody()
        };
        if self.schemes.is_some_and(|schemes| schemes.digest)
            && !serves(Settings { basic: false, ..settings.clone() })
        {
            return Err(format!(
                "Digest cannot be offered: {files} has no line user:realm:HA1 for the realm \
                 '{realm}'; make some with 'htdigest', or set --auth basic"
            ));
        }
        if !serves(settings.clone()) {
            return Err(format!("nobody in {files} can be recognized in the realm '{realm}'"));
        }
        Ok(())
    }

    /// What operators should know: Basic sends the password, and nothing on the way hides it.
    #[must_use]
    pub fn warning(&self, listeners: &[SocketAddr]) -> Option<String> {
        let basic = self.schemes.unwrap_or(Schemes::ALL).basic && !self.files.is_empty();
        let beyond = listeners.iter().find(|address| !address.ip().is_loopback());
        beyond.filter(|_| basic).map(|address| {
            format!(
                "warning: Basic sends passwords in the clear to {address}, which other machines \
                 reach; --auth digest does not"
            )
        })
    }
}

fn read(files: &[String]) -> Result<Users, String> {
    let mut users = Users::default();
    for file in files {
        let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        users.read(file, &text).map_err(|bad| bad.to_string())?;
    }
    Ok(users)
}

/// Which schemes are offered: `basic`, `digest`, or both, with a comma between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    basic: bool,
    digest: bool,
}

impl Schemes {
    const ALL: Self = Self { basic: true, digest: true };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_without_users_are_refused() {
        let mut options = AuthOptions::default();
        assert!(options.rules(Side::Proxy).unwrap().is_none());
        options.schemes = Some("basic".parse().unwrap());
        assert!(options.rules(Side::Proxy).unwrap_err().contains("--users"));
        assert!("basic,ntlm".parse::<Schemes>().is_err() && "".parse::<Schemes>().is_err());
    }

    #[test]
    fn basic_beyond_this_machine_is_warned_of() {
        let listeners = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
        let mut options = AuthOptions { files: vec!["u".into()], ..AuthOptions::default() };
        assert!(options.warning(&listeners("192.0.2.1:80")).is_some());
        assert!(options.warning(&listeners("[::1]:80")).is_none());
        options.schemes = Some("digest".parse().unwrap());
        assert!(options.warning(&listeners("192.0.2.1:80")).is_none());
    }
}
