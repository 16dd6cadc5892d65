//! User names in credentials.

/// Name of a user, or the hash that hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Name, from `username` or `username*`.
    Plain(String),
    /// Hash of name and realm, sent if `userhash` was offered (§3.4.4).
    Hashed(String),
}
