//! Counters of events since the start.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::http::ContentCoding;
use crate::reactor::Budget;
use crate::throttle::BanAction;
use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::handshakes::Handshakes;
use super::latencies::Latencies;
use super::outcome::Outcome;

/// Counters of events since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Requests and bytes of content sent, by outcome.
    pub(super) outcomes: [(u64, u64); Outcome::ALL.len()],
    /// Responses sent, by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Durations of exchanges and their steps.
    pub(crate) latencies: Latencies,
    /// Bytes received from and sent to clients, tunnels included.
    pub(crate) of_clients: Traffic,
    /// Bytes received from and sent to origins, tunnels included.
    pub(crate) of_origins: Traffic,
    /// Requests denied, by rule.
    pub(super) denials: BTreeMap<Cow<'static, str>, u64>,
    /// Responses that were not stored, by reason.
    pub(super) not_stored: BTreeMap<&'static str, u64>,
    /// Requests that a report rule would have denied.
    pub(super) reported: u64,
    /// Timeouts that ended exchanges, by cause.
    pub(super) timeouts: BTreeMap<&'static str, u64>,
    /// Fetches from origins begun.
    pub(crate) fetches: u64,
    /// Connections to origins established.
    pub(crate) dialled: u64,
    /// Attempts at another member of a group.
    pub(crate) retries: u64,
    /// Connections reused from the pool.
    pub(crate) reused: u64,
    /// Connections closed to free their memory.
    pub(crate) relieved: u64,
    /// Stored responses that purges removed or made stale.
    pub(crate) purged: u64,
    /// Requests with wrong credentials.
    pub(crate) failures: u64,
    /// TLS handshakes of clients.
    pub(crate) handshakes: Handshakes,
    /// TLS handshakes with origins.
    pub(crate) origin_handshakes: Handshakes,
    /// Certificates obtained from a CA.
    pub(crate) certificates_issued: u64,
    /// Attempts to obtain one that have failed.
    pub(crate) certificate_failures: u64,
    /// Certificates whose last attempt has failed.
    pub(crate) certificates_failing: usize,
    /// Clients banned after repeated authentication failures.
    pub(crate) bans: u64,
    /// Bans of clients, and what they were for.
    pub(crate) client_bans: BanCounters,
    /// Compression on the fly.
    pub(crate) compression: CompressionCounters,
}

/// Bytes received and sent, as HTTP has them: inside TLS.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Traffic {
    /// Counts the bytes of a drive.
    pub(crate) const fn count(&mut self, budget: &Budget) {
        self.received += budget.received();
        self.sent += budget.sent();
    }
}

/// Work of compression, and what it was good for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CompressionCounters {
    /// Responses in each coding.
    pub(crate) responses: [u64; ContentCoding::ALL.len()],
    /// Responses among them whose content was compressed before.
    pub(crate) hits: u64,
    /// Bytes of content compressed, and bytes that they became.
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Pieces of content that threads have compressed.
    pub(crate) jobs: u64,
    /// Responses sent without a coding for want of memory.
    pub(crate) refused: u64,
}

impl CompressionCounters {
    /// Returns the responses by the name of the coding.
    pub(super) fn by_coding(self) -> impl Iterator<Item = (String, u64)> {
        let named =
            move |coding: ContentCoding| (coding.to_string(), self.responses[coding as usize]);
        ContentCoding::ALL.into_iter().map(named)
    }
}

/// Bans of clients by action, and connections and requests that they were applied to.
#[derive(Clone, Debug, Default)]
pub(crate) struct BanCounters {
    /// Bans that have begun.
    pub(crate) begun: [u64; 3],
    /// Requests of banned clients.
    pub(crate) requests: [u64; 3],
    /// Connections that were closed when they were accepted.
    pub(crate) connections: u64,
}

impl BanCounters {
    /// Returns the figures by the name of the action.
    pub(super) fn by_action(figures: [u64; 3]) -> impl Iterator<Item = (String, u64)> {
        let actions = [BanAction::Delay, BanAction::TooMany, BanAction::Drop];
        actions.into_iter().map(move |action| (action.to_string(), figures[action as usize]))
    }
}

impl Counters {
    /// Counts a finished exchange.
    pub(crate) fn count(&mut self, record: &ExchangeRecord, now: Now) {
        self.latencies.count(record, record.elapsed(now));
        if let Some(status) = record.status {
            *self.statuses.entry(status.code()).or_default() += 1;
        }
        let (requests, sent) = &mut self.outcomes[record.outcome as usize];
        *requests += 1;
        *sent += record.sent;
        if let Some(coding) = record.coding {
            self.compression.responses[coding as usize] += 1;
        }
        if let Some(reason) = record.not_stored {
            *self.not_stored.entry(reason.name()).or_default() += 1;
        }
        self.reported += u64::from(record.reported.is_some());
        let Some(reason) = &record.reason else { return };
        if record.outcome == Outcome::Denied {
            *self.denials.entry(reason.rule_label()).or_default() += 1;
        } else if let Some(timeout) = reason.timeout() {
            *self.timeouts.entry(timeout.name()).or_default() += 1;
        }
    }

    /// Counts the bytes of a drive of a tunnel: those from the client to the origin, and those back.
    pub(crate) const fn relay(&mut self, upwards: &Budget, downwards: &Budget) {
        self.of_clients.received += upwards.received();
        self.of_origins.sent += upwards.sent();
        self.of_origins.received += downwards.received();
        self.of_clients.sent += downwards.sent();
    }

    /// Returns the requests with this outcome, and the bytes of content sent for them.
    pub(super) const fn of(&self, outcome: Outcome) -> (u64, u64) {
        self.outcomes[outcome as usize]
    }

    /// Returns requests and bytes answered from the cache, then those answered from the cache or an
    /// origin.
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
