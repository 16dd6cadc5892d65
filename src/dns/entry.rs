//! Entries of the name cache, and their places in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::shares::Shares;
use crate::work::{LOOK_UP, count};

use super::known::{Kept, LookupResult, NameLimits};

/// Name with its answer, its open question and its waiters.
#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) name: Arc<str>,
    /// Waiters, each with the value of `answers` when it last looked the name up.
    pub(super) waiters: BTreeMap<W, u64>,
    /// Number of answers that waiters were told of.
    pub(super) answers: u64,
    pub(super) kept: Option<Kept>,
    /// Generation of `kept`.
    pub(super) generation: u64,
    /// Generation in which the last question was asked.
    pub(super) asked_in: u64,
    pub(super) place: Place,
}

/// Place of an entry in the cache.
#[derive(Debug)]
pub(super) enum Place {
    /// A question is open since then and has waiters. It takes one of the places of this client.
    Asked(Instant, Option<IpAddr>),
    /// A question is open since then, and no waiter is left for it.
    Left(Instant, u64),
    /// No question is open, and all waiters were told: the entry can be dropped.
    Telling,
    /// No question is open, and no waiter is left: the entry can be dropped.
    Idle(u64),
}

/// Places of all entries.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Open questions with waiters, by client.
    pub(super) shares: Shares<IpAddr>,
    /// Open questions without waiters, in the order in which their last waiter left.
    pub(super) left: BTreeMap<u64, Arc<str>>,
    /// Names without a question, least recently used first.
    pub(super) idle: BTreeMap<u64, Arc<str>>,
    ticks: u64,
}

impl Places {
    /// Moves an entry to the place that `to` returns for the next tick.
    pub(super) fn put<W>(&mut self, entry: &mut Entry<W>, to: impl FnOnce(u64) -> Place) {
        count(2 * LOOK_UP);
        self.remove(&entry.place);
        self.ticks += 1;
        entry.place = to(self.ticks);
        match entry.place {
            Place::Left(_, number) => drop(self.left.insert(number, Arc::clone(&entry.name))),
            Place::Idle(number) => drop(self.idle.insert(number, Arc::clone(&entry.name))),
            Place::Asked(..) | Place::Telling => {}
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        match place {
            Place::Asked(_, client) => self.shares.release(client.as_ref()),
            Place::Left(_, number) => drop(self.left.remove(number)),
            Place::Idle(number) => drop(self.idle.remove(number)),
            Place::Telling => {}
        }
    }

    /// Adds `waiter` to an open question. Returns false if the question has no waiter yet and
    /// `client` may hold no more questions.
    pub(super) fn attend<W: Ord>(
        &mut self,
        entry: &mut Entry<W>,
        waiter: W,
        client: Option<IpAddr>,
        limits: &NameLimits,
    ) -> bool {
        if let Place::Left(since, _) = entry.place {
            if !self.shares.take(client, limits.max_in_flight) {
                return false;
            }
            self.put(entry, |_| Place::Asked(since, client));
        }
        entry.waiters.insert(waiter, entry.answers);
        true
    }

    /// Removes a waiter. Returns true if it was the last one and a question is open.
    pub(super) fn leave<W: Ord>(&mut self, entry: &mut Entry<W>, waiter: &W) -> bool {
        let left = entry.waiters.remove(waiter).is_some() && entry.waiters.is_empty();
        match entry.place {
            Place::Asked(since, _) if left => {
                self.put(entry, |number| Place::Left(since, number));
                true
            }
            _ => false,
        }
    }

    /// Marks an idle entry as used, unless it is among the most recently marked eighth of all
    /// names: that saves most moves.
    pub(super) fn touch<W>(&mut self, entry: &mut Entry<W>, limits: &NameLimits) {
        if let Place::Idle(number) = entry.place
            && self.ticks - number > (limits.names / 8) as u64
        {
            self.put(entry, Place::Idle);
        }
    }

    /// Returns the number of open questions.
    pub(super) fn questions(&self) -> usize {
        self.shares.total() + self.left.len()
    }
}

impl<W> Entry<W> {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            waiters: BTreeMap::new(),
            answers: 0,
            kept: None,
            generation: 0,
            asked_in: 0,
            place: Place::Telling,
        }
    }

    /// Returns the time at which the open question began.
    pub(super) const fn asked(&self) -> Option<Instant> {
        match self.place {
            Place::Asked(since, _) | Place::Left(since, _) => Some(since),
            Place::Telling | Place::Idle(_) => None,
        }
    }

    /// Restarts the age of the open question.
    pub(super) const fn ask_again(&mut self, now: Instant) {
        match &mut self.place {
            Place::Asked(since, _) | Place::Left(since, _) => *since = now,
            Place::Telling | Place::Idle(_) => {}
        }
    }

    /// Returns the stored answer, unless answers were cleared since.
    pub(super) fn kept(&self, generation: u64) -> Option<&Kept> {
        self.kept.as_ref().filter(|_| self.generation == generation)
    }

    /// Returns the answer if it may be used: until its lifetime ends, and then as a stale answer
    /// once a question has been open for `stale_after`.
    pub(super) fn serves(
        &self,
        limits: &NameLimits,
        generation: u64,
        now: Instant,
    ) -> Option<&LookupResult> {
        let kept = self.kept(generation)?;
        let slow = || self.asked().is_some_and(|since| now >= since + limits.stale_after);
        let serves = now < kept.until(limits) || now < kept.stale_until(limits) && slow();
        serves.then_some(&kept.answer)
    }

    /// Returns true if the entry can be dropped before the cache is full.
    pub(super) fn is_over(&self, limits: &NameLimits, generation: u64, now: Instant) -> bool {
        self.waiters.is_empty()
            && self.kept(generation).is_none_or(|kept| now >= kept.last_resort(limits))
    }
}

impl<W: Ord> Entry<W> {
    /// Returns the answer for `waiter`. A waiter that was told of an answer gets it even if its
    /// lifetime has ended.
    pub(super) fn answer_for(
        &self,
        waiter: &W,
        limits: &NameLimits,
        generation: u64,
        now: Instant,
    ) -> Option<LookupResult> {
        let told = self.waiters.get(waiter).is_some_and(|&seen| seen < self.answers);
        let answer = match &self.kept {
            Some(kept) if told => Some(&kept.answer),
            _ => self.serves(limits, generation, now),
        };
        answer.cloned()
    }
}
