//! What has happened since the start, counted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::exchange_record::ExchangeRecord;
use super::outcome::Outcome;

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// By outcome: requests, and bytes of content sent.
    pub(super) outcomes: [(u64, u64); Outcome::ALL.len()],
    /// By the rule that has denied.
    pub(super) denials: BTreeMap<Cow<'static, str>, u64>,
    /// That passed, though a rule would have denied them.
    pub(super) reported: u64,
    /// By what was waited for.
    pub(super) timeouts: BTreeMap<&'static str, u64>,
    /// Requests to origins.
    pub(crate) fetches: u64,
    /// Connections to origins that came about.
    pub(crate) dialled: u64,
    /// Connections taken from the pool.
    pub(crate) reused: u64,
    /// Connections closed to have their memory.
    pub(crate) relieved: u64,
    /// Responses that purges have found.
    pub(crate) purged: u64,
    /// Credentials that were wrong.
    pub(crate) failures: u64,
    /// How often a client was wrong so often that it was not heard any more.
    pub(crate) bans: u64,
}

impl Counters {
    /// Counts an exchange that is over.
    pub(crate) fn count(&mut self, record: &ExchangeRecord) {
        let (requests, sent) = &mut self.outcomes[record.outcome as usize];
        *requests += 1;
        *sent += record.sent;
        self.reported += u64::from(record.reported.is_some());
        let Some(reason) = &record.reason else { return };
        if record.outcome == Outcome::Denied {
            *self.denials.entry(reason.rule_label()).or_default() += 1;
        } else if let Some(timeout) = reason.timeout() {
            *self.timeouts.entry(timeout.name()).or_default() += 1;
        }
    }

    /// Requests with that outcome, and bytes of content sent for them.
    pub(super) const fn of(&self, outcome: Outcome) -> (u64, u64) {
        self.outcomes[outcome as usize]
    }

    /// Requests and bytes answered from the cache, and those that could have been.
    pub(super) fn hits(&self) -> [(u64, u64); 2] {
        let stored = self.sum(&[Outcome::Hit, Outcome::Stale, Outcome::Revalidated]);
        let fetched = self.sum(&[Outcome::Miss, Outcome::Pass]);
        [stored, (stored.0 + fetched.0, stored.1 + fetched.1)]
    }

    fn sum(&self, outcomes: &[Outcome]) -> (u64, u64) {
        let each = outcomes.iter().map(|&outcome| self.of(outcome));
        each.fold((0, 0), |(requests, sent), of| (requests + of.0, sent + of.1))
    }
}
