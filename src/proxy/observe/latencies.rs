//! Latencies: how long exchanges and the steps of requests to origins take.

use std::time::Duration;

use crate::reactor::Histogram;

use super::exchange_record::ExchangeRecord;
use super::outcome::Outcome;
use super::timings::Timings;

/// Latencies since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    /// Durations of exchanges, by outcome.
    total: [Histogram; Outcome::ALL.len()],
    /// Times until responses began, by outcome.
    first_byte: [Histogram; Outcome::ALL.len()],
    /// Steps of requests to origins.
    pub(super) queue: Histogram,
    pub(super) lookup: Histogram,
    pub(super) connect: Histogram,
    pub(super) origin_first_byte: Histogram,
}

impl Latencies {
    /// Counts an exchange that has lasted for `total`.
    pub(super) fn count(&mut self, record: &ExchangeRecord, total: Duration) {
        let outcome = record.outcome as usize;
        self.total[outcome].record(total);
        if let Some(first_byte) = record.first_byte {
            self.first_byte[outcome].record(first_byte);
        }
    }

    /// Counts the steps of a request to an origin.
    pub(crate) fn count_steps(&mut self, steps: &Timings) {
        let Timings { queue, lookup, connect, first_byte, .. } = *steps;
        queue.iter().for_each(|time| self.queue.record(*time));
        lookup.iter().for_each(|time| self.lookup.record(*time));
        connect.iter().for_each(|time| self.connect.record(*time));
        first_byte.iter().for_each(|time| self.origin_first_byte.record(*time));
    }

    /// Returns the durations of exchanges by outcome.
    pub(super) fn totals(&self) -> impl Iterator<Item = (Outcome, &Histogram)> {
        Outcome::ALL.into_iter().zip(&self.total)
    }

    /// Returns the times until responses began by outcome.
    pub(super) fn first_bytes(&self) -> impl Iterator<Item = (Outcome, &Histogram)> {
        Outcome::ALL.into_iter().zip(&self.first_byte)
    }
}
