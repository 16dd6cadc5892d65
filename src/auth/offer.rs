//! What can be offered to users, and whom that leaves out.

use crate::auth::digest::Algorithm;

use super::realm::Realm;
use super::users::{User, Users};

impl Users {
    /// The algorithms for which everybody who has a line for Digest in `realm` has one, the best first:
    /// clients take the best that is offered, and whoever has no line for that would be locked out.
    #[must_use]
    pub fn algorithms(&self, realm: &Realm) -> Vec<Algorithm> {
        let suits = |of: &Algorithm| {
            let mut those = self.of_digest(realm).peekable();
            those.peek().is_some() && those.all(|user| user.ha1(realm, *of).is_some())
        };
        Algorithm::ALL.iter().copied().filter(suits).collect()
    }

    /// The names of those who have a line for Digest in `realm`, but none for `algorithm`.
    pub fn without(&self, realm: &Realm, algorithm: Algorithm) -> impl Iterator<Item = &str> {
        let those = self.of_digest(realm);
        those.filter(move |user| user.ha1(realm, algorithm).is_none()).map(|user| &*user.name)
    }

    /// The names of those who have no line for Digest in `realm`.
    pub fn without_digest(&self, realm: &Realm) -> impl Iterator<Item = &str> {
        self.iter().filter(|user| !user.serves_digest(realm)).map(|user| &*user.name)
    }

    /// The names of those whom Basic cannot recognize in `realm`.
    pub fn without_basic(&self, realm: &Realm) -> impl Iterator<Item = &str> {
        self.iter().filter(|user| !user.serves_basic(realm)).map(|user| &*user.name)
    }

    fn of_digest(&self, realm: &Realm) -> impl Iterator<Item = &User> {
        self.iter().filter(|user| user.serves_digest(realm))
    }
}
