//! Algorithms and schemes that can be offered to users, and the users whom an offer excludes.

use crate::auth::digest::Algorithm;

use super::realm::Realm;
use super::users::{User, Users};

impl Users {
    /// Returns the algorithms for which every Digest user of `realm` has an entry, the best first.
    /// Clients choose the best algorithm offered, and a user without an entry for it would be
    /// locked out.
    #[must_use]
    pub fn algorithms(&self, realm: &Realm) -> Vec<Algorithm> {
        let suits = |of: &Algorithm| {
            let mut those = self.of_digest(realm).peekable();
            those.peek().is_some() && those.all(|user| user.ha1(realm, *of).is_some())
        };
        Algorithm::ALL.iter().copied().filter(suits).collect()
    }

    /// Returns the names of Digest users of `realm` who have no entry for `algorithm`.
    pub fn without(&self, realm: &Realm, algorithm: Algorithm) -> impl Iterator<Item = &str> {
        let those = self.of_digest(realm);
        those.filter(move |user| user.ha1(realm, algorithm).is_none()).map(|user| &*user.name)
    }

    /// Returns the names of users without a Digest entry for `realm`.
    pub fn without_digest(&self, realm: &Realm) -> impl Iterator<Item = &str> {
        self.iter().filter(|user| !user.serves_digest(realm)).map(|user| &*user.name)
    }

    /// Returns the names of users whom Basic cannot authenticate in `realm`.
    pub fn without_basic(&self, realm: &Realm) -> impl Iterator<Item = &str> {
        self.iter().filter(|user| !user.serves_basic(realm)).map(|user| &*user.name)
    }

    fn of_digest(&self, realm: &Realm) -> impl Iterator<Item = &User> {
        self.iter().filter(|user| user.serves_digest(realm))
    }
}
