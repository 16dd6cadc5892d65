//! Figures of TLS handshakes, towards clients or towards origins.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::reactor::Histogram;
use crate::tls::Facts;

/// Handshakes since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshakes {
    /// Completed handshakes, by version and whether an earlier session was resumed.
    completed: BTreeMap<(&'static str, bool), u64>,
    /// Failed handshakes, by cause.
    failed: BTreeMap<&'static str, u64>,
    /// Durations of completed handshakes.
    pub(super) durations: Histogram,
}

impl Handshakes {
    /// Counts a handshake that is complete after `took`.
    pub(crate) fn complete(&mut self, facts: &Facts, took: Duration) {
        *self.completed.entry((facts.version, facts.is_resumed)).or_default() += 1;
        self.durations.record(took);
    }

    /// Counts a handshake that has failed, by its cause.
    pub(crate) fn fail(&mut self, cause: &'static str) {
        *self.failed.entry(cause).or_default() += 1;
    }

    /// Returns the completed handshakes by version, those that resumed a session apart.
    pub(super) fn completed(&self) -> impl Iterator<Item = (String, u64)> {
        let name = |version: &str, is_resumed| {
            if is_resumed { format!("{version} resumed") } else { version.to_owned() }
        };
        self.completed
            .iter()
            .map(move |(&(version, is_resumed), &count)| (name(version, is_resumed), count))
    }

    /// Returns the failed handshakes by cause.
    pub(super) fn failed(&self) -> impl Iterator<Item = (String, u64)> {
        self.failed.iter().map(|(&cause, &count)| (cause.to_owned(), count))
    }
}
