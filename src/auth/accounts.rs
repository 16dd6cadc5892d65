//! The users as one realm sees them, and what stands in for those who are not there.
//!
//! Whoever is not there gets somebody's place, always the same one, and is refused after the same
//! work: nobody can tell by the time it takes which names there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::digest::{Algorithm, Named};
use super::realm::Realm;
use super::secret::{Ha1, Secret};
use super::users::{User, Users};

/// The users of a realm.
#[derive(Debug)]
pub(super) struct Accounts {
    users: Users,
    realm: Realm,
    secret: Secret,
    /// Those that are offered.
    algorithms: Vec<Algorithm>,
    /// Those whom Basic can recognize.
    basic: Vec<Arc<str>>,
    /// What nobody can know, for each algorithm.
    nobodys: [(Algorithm, Ha1); Algorithm::ALL.len()],
    /// The names by what hides them; filled only if hiding is offered.
    hidden: BTreeMap<String, Arc<str>>,
}

/// Who may have sent credentials.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    Users(&'a User),
    /// A user who has no line for that.
    WithoutLine,
    Nobodys,
}

impl Accounts {
    pub(super) fn new(users: Users, realm: Realm, userhash: bool, secret: &Secret) -> Self {
        let algorithms = users.algorithms(&realm);
        let basic = users.iter().filter(|user| user.serves_basic(&realm));
        let basic = basic.map(|user| user.name.clone()).collect();
        let hide =
            |user: &User, of: Algorithm| (of.userhash(&user.name, &realm), user.name.clone());
        let pairs = users.iter().flat_map(|user| algorithms.iter().map(move |&of| (user, of)));
        let hidden = pairs.filter(|_| userhash).map(|(user, of)| hide(user, of)).collect();
        let nobodys = [Algorithm::Sha256, Algorithm::Md5]
            .map(|of| (of, of.nobodys(&secret.mac("nobody", &[]))));
        Self { users, realm, secret: secret.clone(), algorithms, basic, nobodys, hidden }
    }

    pub(super) const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Whether there is a user of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.users.find(name).is_some()
    }

    /// The algorithms that are offered, the best first.
    pub(super) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.algorithms.iter().copied()
    }

    /// Whether Basic can recognize anybody.
    pub(super) const fn has_basic(&self) -> bool {
        !self.basic.is_empty()
    }

    /// By whom `name` is to be judged with Basic, and whether that is really the user.
    pub(super) fn for_basic(&self, name: &str) -> Option<(&User, bool)> {
        let known = self.users.find(name).filter(|user| user.serves_basic(&self.realm));
        known.map(|user| (user, true)).or_else(|| {
            let stand_in = self.basic.get(self.place_of(name))?;
            self.users.find(stand_in).map(|user| (user, false))
        })
    }

    /// Whom `named` means, and what is answered Digest with; of whom has no such line, and of whom is
    /// not there, what nobody can know.
    pub(super) fn for_digest(&self, named: &Named, of: Algorithm) -> (Whose<'_>, &Ha1) {
        let user = match named {
            Named::Plain(name) => self.users.find(name),
            Named::Hashed(hash) => self.unhide(hash, of),
        };
        match (user, user.and_then(|user| user.ha1(&self.realm, of))) {
            (Some(user), Some(ha1)) => (Whose::Users(user), ha1),
            (Some(_), None) => (Whose::WithoutLine, self.nobodys(of)),
            (None, _) => (Whose::Nobodys, self.nobodys(of)),
        }
    }

    fn nobodys(&self, of: Algorithm) -> &Ha1 {
        let [first, second] = &self.nobodys;
        if first.0 == of { &first.1 } else { &second.1 }
    }

    fn unhide(&self, hash: &str, of: Algorithm) -> Option<&User> {
        let name = self.hidden.get(hash).filter(|_| hash.len() == of.digits())?;
        self.users.find(name)
    }

    /// Whose place somebody gets who is not there.
    fn place_of(&self, name: &str) -> usize {
        let mac = self.secret.mac("stand-in", &[name.as_bytes()]);
        let number = mac.iter().fold(0, |sum: usize, &byte| sum << 8 ^ usize::from(byte));
        number.checked_rem(self.basic.len()).unwrap_or(0)
    }
}
