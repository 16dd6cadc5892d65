//! Bans as they are shown.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::access::Cidr;

use super::action::BanAction;

/// Ban that applies to an address now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban<'a> {
    /// Action of the ban.
    pub action: BanAction,
    /// Network that is banned.
    pub network: Cidr,
    /// Time until the ban ends.
    pub left: Duration,
    /// Rule that began the ban, or the words of the operator.
    pub why: &'a str,
}

/// Ban with all that is known of it, for lists, logs and commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Network that is banned.
    pub network: Cidr,
    /// Action of the ban.
    pub action: BanAction,
    /// Time at which the ban began.
    pub since: SystemTime,
    /// Time at which the ban ends, or has ended.
    pub until: SystemTime,
    /// Time until the ban ends; zero if it has ended or was lifted.
    pub left: Duration,
    /// Offences that were counted: none if the operator began the ban.
    pub offences: u32,
    /// True if the operator began the ban.
    pub by_operator: bool,
    /// Rule that began the ban, or the words of the operator.
    pub why: Arc<str>,
}

/// Ban that has begun, or continues for longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The ban.
    pub ban: Entry,
    /// True if the network had a ban with the same action, which the new one replaces.
    pub is_renewed: bool,
    /// Ban that was ended to make room.
    pub displaced: Option<Entry>,
}
