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

impl Accounts {
    pub(super) fn new(users: Users, realm: Realm, userhash: bool, secret: &Secret) -> Self {
        let algorithms = algorithms(&users, &realm);
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

    /// Whether there is such a user.
    pub(super) fn has(&self, user: &str) -> bool {
        self.users.find(user).is_some()
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

    /// What `named` answers Digest with; of whom is not there, what nobody can know.
    pub(super) fn for_digest(&self, named: &Named, of: Algorithm) -> (Option<&User>, &Ha1) {
        let user = match named {
            Named::Plain(name) => self.users.find(name),
            Named::Hashed(hash) => self.unhide(hash, of),
        };
        let known = user.and_then(|user| Some((user, user.ha1(&self.realm, of)?)));
        known.map_or_else(|| (None, self.nobodys(of)), |(user, ha1)| (Some(user), ha1))
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

/// The algorithms for which every user of Digest has a line: clients take the best one that is offered,
/// and would be wrong with any other. If there is none for all, those that some have.
fn algorithms(users: &Users, realm: &Realm) -> Vec<Algorithm> {
    let has = |user: &&User, of: &Algorithm| user.ha1(realm, *of).is_some();
    let any = |user: &&User| Algorithm::ALL.iter().any(|of| has(user, of));
    let all = |of: &&Algorithm| users.iter().filter(any).all(|user| has(&user, of));
    let some = |of: &&Algorithm| users.iter().any(|user| has(&user, of));
    let of_some = || Algorithm::ALL.iter().filter(some);
    if of_some().any(|of| all(&of)) {
        of_some().filter(all).copied().collect()
    } else {
        of_some().copied().collect()
    }
}
