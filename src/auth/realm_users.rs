//! Users of one realm, with a decoy for unknown names.
//!
//! The password of an unknown name is verified against the hash of some user, always the same for
//! that name, and then rejected. The time this takes does not reveal which names exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::auth::digest::{Algorithm, Named};
use crate::work::{self, LOOK_UP};

use super::realm::Realm;
use super::secret::{Ha1, Secret};
use super::settings::AuthSettings;
use super::users::{User, Users};

/// Users, indexed for one realm. Building the index takes time proportional to their number;
/// sharing it takes none.
#[derive(Debug)]
pub struct RealmUsers {
    users: Users,
    realm: Realm,
    /// Algorithms that are offered, the best first.
    algorithms: Vec<Algorithm>,
    /// Names of users whom Basic can authenticate.
    basic: Vec<Arc<str>>,
    /// Names by the hash that hides them; empty unless hiding is offered.
    hidden: BTreeMap<String, Arc<str>>,
}

/// Account that the credentials name.
#[derive(Clone, Copy, Debug)]
pub(super) enum AccountMatch<'a> {
    Users(&'a User),
    /// Existing user without an entry for the algorithm.
    WithoutEntry,
    Decoy,
}

impl RealmUsers {
    /// Indexes `users` for the realm of `settings`, and for hidden names if they are offered.
    #[must_use]
    pub fn new(users: Users, settings: &AuthSettings) -> Self {
        let AuthSettings { realm, userhash, .. } = settings;
        let algorithms = users.algorithms(realm);
        let basic = users.iter().filter(|user| user.serves_basic(realm));
        let basic = basic.map(|user| user.name.clone()).collect();
        let hide = |user: &User, of: Algorithm| (of.userhash(&user.name, realm), user.name.clone());
        let pairs = users.iter().flat_map(|user| algorithms.iter().map(move |&of| (user, of)));
        let hidden = pairs.filter(|_| *userhash).map(|(user, of)| hide(user, of)).collect();
        work::count(users.len() * LOOK_UP);
        Self { realm: realm.clone(), users, algorithms, basic, hidden }
    }

    /// Returns the users.
    #[must_use]
    pub const fn users(&self) -> &Users {
        &self.users
    }

    /// Returns the schemes of `settings` that can authenticate a user, the best first. If there are
    /// none, all entries are for Digest in other realms, or their scheme is off, and there is no
    /// challenge to make.
    #[must_use]
    pub fn schemes(&self, settings: &AuthSettings) -> Vec<&'static str> {
        let digest = settings.digest && !self.algorithms.is_empty();
        let basic = settings.basic && self.has_basic();
        [("Digest", digest), ("Basic", basic)]
            .into_iter()
            .filter(|of| of.1)
            .map(|of| of.0)
            .collect()
    }

    pub(super) const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Returns true if there is a user of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.users.find(name).is_some()
    }

    /// Returns the algorithms that are offered, the best first.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.algorithms.iter().copied()
    }

    /// Returns true if Basic can authenticate any user.
    pub(super) const fn has_basic(&self) -> bool {
        !self.basic.is_empty()
    }

    /// Returns the user whose secret `name` is verified against with Basic. The bool is false if
    /// that is a decoy.
    pub(super) fn for_basic(&self, name: &str, nobody: &Decoy) -> Option<(&User, bool)> {
        let known = self.users.find(name).filter(|user| user.serves_basic(&self.realm));
        known.map(|user| (user, true)).or_else(|| {
            let stand_in = self.basic.get(nobody.decoy_index(name, self.basic.len()))?;
            self.users.find(stand_in).map(|user| (user, false))
        })
    }

    /// Returns the user that the credentials name, and the HA1 to verify against. An unknown user,
    /// or one without an entry for the algorithm, gets a decoy HA1 that never matches.
    pub(super) fn for_digest<'a>(
        &'a self,
        named: &Named,
        of: Algorithm,
        nobody: &'a Decoy,
    ) -> (AccountMatch<'a>, &'a Ha1) {
        let user = match named {
            Named::Plain(name) => self.users.find(name),
            Named::Hashed(hash) => self.unhide(hash, of),
        };
        match (user, user.and_then(|user| user.ha1(&self.realm, of))) {
            (Some(user), Some(ha1)) => (AccountMatch::Users(user), ha1),
            (Some(_), None) => (AccountMatch::WithoutEntry, nobody.ha1(of)),
            (None, _) => (AccountMatch::Decoy, nobody.ha1(of)),
        }
    }

    fn unhide(&self, hash: &str, of: Algorithm) -> Option<&User> {
        let name = self.hidden.get(hash).filter(|_| hash.len() == of.digits())?;
        self.users.find(name)
    }
}

/// Decoy for unknown names.
#[derive(Debug)]
pub(super) struct Decoy {
    secret: Secret,
    /// Hash that matches no password.
    sha256: Ha1,
    md5: Ha1,
}

impl Decoy {
    pub(super) fn new(secret: &Secret) -> Self {
        let ha1 = |of: Algorithm| of.decoy(&secret.mac("nobody", &[]));
        let (sha256, md5) = (ha1(Algorithm::Sha256), ha1(Algorithm::Md5));
        Self { secret: secret.clone(), sha256, md5 }
    }

    const fn ha1(&self, of: Algorithm) -> &Ha1 {
        match of {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Md5 => &self.md5,
        }
    }

    /// Returns the index, among `count` users, of the decoy for the unknown `name`; stable per
    /// name.
    fn decoy_index(&self, name: &str, count: usize) -> usize {
        let mac = self.secret.mac("stand-in", &[name.as_bytes()]);
        let number = usize::from_be_bytes(*mac.first_chunk().expect("it is shorter"));
        number.checked_rem(count).unwrap_or(0)
    }
}
