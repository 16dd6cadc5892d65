//! Names of users, as schemes carry them.

/// A user's name, or what hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The name: of `username`, or of `username*`.
    Plain(String),
    /// The hash of name and realm, for which `userhash` was offered (§3.4.4).
    Hashed(String),
}
