//! Options about users, and the authentication rules made from them.

use std::time::Duration;

use crate::auth::{AuthSettings, FailureLimit, PathPrefix, Realm, Side, Users};
use crate::proxy::{AuthRules, ProtectionSpace};

use super::protect::Protect;
use super::schemes::Schemes;
use super::{auth_warnings, files};

/// Options about users.
#[derive(Clone, Debug)]
pub struct AuthOptions {
    /// User files.
    pub files: Vec<String>,
    /// Schemes to offer; `None` means all that the files support.
    pub schemes: Option<Schemes>,
    /// Realm of the protection space.
    pub realm: Realm,
    /// Paths with users of their own.
    pub protect: Vec<Protect>,
    /// True if Digest clients may hide user names.
    pub userhash: bool,
    /// Lifetime of a Digest nonce.
    pub nonce_lifetime: Duration,
    /// Failures after which a client is refused for a time.
    pub ban: FailureLimit,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            schemes: None,
            realm: Realm::default(),
            protect: Vec::new(),
            userhash: false,
            nonce_lifetime: Duration::from_secs(300),
            ban: "20/1m".parse().expect("it is a limit"),
        }
    }
}

impl AuthOptions {
    /// Reads the user files and returns the authentication rules; `None` if nothing is protected.
    ///
    /// # Errors
    /// A message that says what is wrong in a file or which options conflict, and what to do.
    pub(super) fn rules(&self, side: Side) -> Result<Option<AuthRules>, String> {
        if side == Side::Proxy && !self.protect.is_empty() {
            return Err("--protect is for the paths of one origin; add --to URL".into());
        }
        let places = self.places();
        if places.is_empty() {
            return match self.schemes {
                Some(_) => Err("--auth has no users to apply to; add --users FILE".into()),
                None => Ok(None),
            };
        }
        for (at, place) in places.iter().enumerate() {
            if places[..at].iter().any(|other| other.path.is_alike(&place.path)) {
                return Err(format!("{} is protected twice; remove one of them", place.path));
            }
        }
        let spaces = places.iter().map(|place| self.space(place, side));
        Ok(Some(AuthRules { spaces: spaces.collect::<Result<_, _>>()?, ban: self.ban }))
    }

    /// Returns the protected paths: all paths if there are users for them, and the paths with users
    /// of their own.
    fn places(&self) -> Vec<Protect> {
        let everything = Protect::new(PathPrefix::everything());
        let everything = (!self.files.is_empty()).then_some(everything);
        everything.into_iter().chain(self.protect.iter().cloned()).collect()
    }

    fn space(&self, place: &Protect, side: Side) -> Result<ProtectionSpace, String> {
        let path = place.path.clone();
        let files = if place.files.is_empty() { &self.files } else { &place.files };
        if files.is_empty() {
            return Err(format!(
                "{path} is protected, but has no users; add users=FILE, or --users FILE"
            ));
        }
        let users = read(files)?;
        let asked_for = place.schemes.or(self.schemes);
        let Schemes { basic, digest } = asked_for.unwrap_or(Schemes::ALL);
        let realm = place.realm.as_ref().unwrap_or(&self.realm);
        let settings = AuthSettings {
            basic,
            digest,
            userhash: self.userhash,
            domain: (!path.is_everything()).then(|| path.to_string()).into_iter().collect(),
            nonce_lifetime: self.nonce_lifetime,
            ..AuthSettings::new(side, realm.clone())
        };
        let space = ProtectionSpace::new(path, settings, users);
        check(&space, files, asked_for).map(|()| space)
    }
}

/// Checks that the schemes requested can be offered and that some user can be authenticated; such
/// users would be locked out silently.
fn check(space: &ProtectionSpace, files: &[String], asked: Option<Schemes>) -> Result<(), String> {
    let (files, realm, served) = (files.join(", "), &space.settings.realm, space.schemes());
    if asked.is_some_and(|schemes| schemes.digest) && !served.contains(&"Digest") {
        if let Some(why) = auth_warnings::nothing_for_all(space) {
            return Err(format!("Digest cannot be offered: {why}, or set --auth basic"));
        }
        return Err(format!(
            "Digest cannot be offered: {files} has no line user:realm:HA1 for the realm \
             '{realm}'; make some with 'tidegate users add --digest', or set --auth basic"
        ));
    }
    if served.is_empty() {
        return Err(format!("no user in {files} can be authenticated in the realm '{realm}'"));
    }
    Ok(())
}

fn read(files: &[String]) -> Result<Users, String> {
    let mut users = Users::default();
    for file in files {
        let text = files::read_secret(file).map_err(|error| format!("{file}: {error}"))?;
        users.read(file, &text).map_err(|bad| bad.to_string())?;
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_without_users_are_rejected() {
        let mut options = AuthOptions::default();
        assert!(options.rules(Side::Proxy).unwrap().is_none());
        options.schemes = Some("basic".parse().unwrap());
        assert!(options.rules(Side::Proxy).unwrap_err().contains("--users"));
        assert!("basic,ntlm".parse::<Schemes>().is_err() && "".parse::<Schemes>().is_err());
    }

    #[test]
    fn protected_paths_need_users_and_one_origin() {
        let protect = |texts: &[&str]| AuthOptions {
            protect: texts.iter().map(|text| text.parse().unwrap()).collect(),
            ..AuthOptions::default()
        };
        let refused = |texts: &[&str]| protect(texts).rules(Side::Origin).unwrap_err();
        assert!(refused(&["/a"]).contains("/a is protected, but has no users"));
        assert!(refused(&["/a users=x", "/A/ users=y"]).contains("/A/ is protected twice"));
        let forward = protect(&["/a users=x"]).rules(Side::Proxy).unwrap_err();
        assert!(forward.contains("--to"), "{forward}");
        let both = AuthOptions { files: vec!["x".into()], ..protect(&["/ users=y"]) };
        assert!(both.rules(Side::Origin).unwrap_err().contains("/ is protected twice"));
    }
}
