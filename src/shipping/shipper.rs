//! State machine of shipping: lines and answers in, requests and files out.
//!
//! Lines are sent oldest first: the batch in flight, those in memory, those of the spool, then the one that is
//! being gathered. While the spool has batches, further ones go there, too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::batch::{Batch, Batcher};
use super::losses::Losses;
use super::retry::Retry;
use super::spool::{Segment, Spool};

/// Bounds of a shipper.
#[derive(Clone, Copy, Debug)]
pub struct ShipLimits {
    /// Most bytes of a batch.
    pub batch: usize,
    /// Age of the first line at which a batch is sent.
    pub age: Duration,
    /// Most bytes of lines in memory.
    pub memory: usize,
    /// Most bytes of lines in the spool.
    pub spool: u64,
}

/// Event for a shipper.
#[derive(Debug)]
pub enum ShipEvent<'a> {
    /// Whole lines are to be shipped.
    Lines(&'a str),
    /// So many lines were dropped and counted before they arrived here, because too many waited.
    Missed(u64),
    /// The server has answered, or could not be reached. The number is a random one from 0 to less than 1.
    Answered(Answer, f64),
    /// The spool can be used, and has these files, oldest first.
    Opened(Vec<Segment>),
    /// A file could not be written, for this reason.
    NotStored(u64, String),
    /// A file was read.
    Loaded(String),
    /// A file is damaged or cannot be read, for this reason. So many lines are lost.
    NotLoaded(u64, String),
    /// No further lines follow: what is in memory is sent without delay.
    Finish,
    /// Nothing will be sent any more: what is in memory goes to the spool.
    Abandon,
    /// Time has passed.
    Tick,
}

/// Action of a shipper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShipAction {
    /// Send a batch, and report the answer. The number tells batches apart.
    Send(u64, String),
    /// Write the file with this number.
    Store(u64, String),
    /// Read the file with this number.
    Load(u64),
    /// Remove the file with this number.
    Remove(u64),
    /// Tell the operator.
    Say(String),
}

/// Activity of a shipper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Sending,
    Loading,
    /// Waits to send the batch in flight again.
    Pausing(Instant),
}

/// Batch that is being sent.
#[derive(Debug)]
struct Flight {
    batch: Batch,
    /// True if the batch is that of the first file of the spool.
    is_spooled: bool,
}

/// The state machine.
#[derive(Debug)]
pub struct Shipper {
    limits: ShipLimits,
    open: Batcher,
    ready: VecDeque<Batch>,
    flight: Option<Flight>,
    /// Number of the batch in flight.
    number: u64,
    /// Bytes of `ready` and `flight`.
    held: usize,
    spool: Option<Spool>,
    phase: Phase,
    retry: Retry,
    losses: Losses,
    is_finishing: bool,
    actions: Vec<ShipAction>,
}

impl Shipper {
    /// Creates a shipper without lines.
    #[must_use]
    pub fn new(limits: ShipLimits) -> Self {
        Self {
            open: Batcher::new(limits.batch, limits.age),
            limits,
            ready: VecDeque::new(),
            flight: None,
            number: 0,
            held: 0,
            spool: None,
            phase: Phase::Idle,
            retry: Retry::default(),
            losses: Losses::default(),
            is_finishing: false,
            actions: Vec::new(),
        }
    }

    /// Handles an event at `now`, and returns what is to be done, in this order.
    pub fn handle(&mut self, event: ShipEvent<'_>, now: Instant) -> Vec<ShipAction> {
        match event {
            ShipEvent::Lines(lines) => self.gather(lines, now),
            ShipEvent::Missed(lines) => self.losses.note(lines, "too many waited (log-buffer)"),
            ShipEvent::Answered(answer, fraction) => self.answered(answer, fraction, now),
            ShipEvent::Opened(segments) => {
                self.spool = Some(Spool::new(segments, self.limits.spool));
            }
            ShipEvent::NotStored(number, reason) => {
                let lost = self.spool.as_mut().map_or(0, |spool| spool.forget(number));
                self.losses.add(lost, &reason);
            }
            ShipEvent::Loaded(text) => self.fly(Batch::of(text), true),
            ShipEvent::NotLoaded(lost, reason) => {
                self.losses.add(lost, &reason);
                self.remove_first();
                self.phase = Phase::Idle;
            }
            ShipEvent::Finish => {
                self.is_finishing = true;
                let is_in_memory = self.flight.as_ref().is_some_and(|flight| !flight.is_spooled);
                if matches!(self.phase, Phase::Pausing(_)) && is_in_memory {
                    self.send();
                }
            }
            ShipEvent::Abandon => self.abandon(),
            ShipEvent::Tick => {}
        }
        self.advance(now);
        self.actions.extend(self.losses.report(now, self.is_finishing).map(ShipAction::Say));
        std::mem::take(&mut self.actions)
    }

    /// Returns the time of the next [`ShipEvent::Tick`], if no event happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let next = match self.phase {
            Phase::Idle => self.open.due(),
            Phase::Pausing(until) => Some(until),
            Phase::Sending | Phase::Loading => None,
        };
        next.into_iter().chain(self.losses.due()).min()
    }

    /// Returns true once all lines of a shipper that finishes have been sent or are in the spool, and no answer
    /// is expected.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_finishing
            && self.phase != Phase::Sending
            && self.ready.is_empty()
            && self.open.due().is_none()
            && self.flight.as_ref().is_none_or(|flight| flight.is_spooled)
    }

    /// Returns the number of lines that were lost.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.losses.total()
    }

    /// Returns the bytes of lines in memory, without those of the batch that is being gathered.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    fn gather(&mut self, lines: &str, now: Instant) {
        for line in lines.split_inclusive('\n') {
            if let Some(full) = self.open.push(line, now) {
                self.keep(full);
            }
        }
    }

    /// Keeps a batch in memory or in the spool; drops it if neither has room.
    fn keep(&mut self, batch: Batch) {
        let room = self.limits.memory.saturating_sub(self.limits.batch);
        let is_full = self.held > 0 && self.held + batch.text.len() > room;
        let Some(spool) = self.spool.as_mut().filter(|spool| is_full || !spool.is_empty()) else {
            if is_full {
                self.losses.add(batch.lines, "the memory for them (log-ship-buffer) is full");
            } else {
                self.held += batch.text.len();
                self.ready.push_back(batch);
            }
            return;
        };
        match spool.push(&batch) {
            Some(number) => self.actions.push(ShipAction::Store(number, batch.text)),
            None => self.losses.add(batch.lines, "the spool (log-spool-size) is full"),
        }
    }

    fn answered(&mut self, answer: Answer, fraction: f64, now: Instant) {
        if self.phase != Phase::Sending {
            return;
        }
        match answer {
            Answer::Taken(rejected) => {
                self.losses.add(rejected, "the server has dropped them");
                if self.retry.is_failing() {
                    self.say("the server takes lines again".to_owned());
                }
                self.land();
            }
            Answer::Refused(reason) => {
                let lines = self.flight.as_ref().map_or(0, |flight| flight.batch.lines);
                self.losses.add(lines, &format!("the server refuses them: {reason}"));
                self.land();
            }
            Answer::Later(least, reason) => {
                if !self.retry.is_failing() {
                    self.say(format!("the server takes no lines: {reason}; they are kept"));
                }
                self.phase = Phase::Pausing(now + self.retry.pause(fraction).max(least));
            }
        }
    }

    /// Forgets the batch in flight.
    fn land(&mut self) {
        self.retry.reset();
        self.phase = Phase::Idle;
        if let Some(flight) = self.flight.take() {
            self.held -= flight.batch.text.len();
            if flight.is_spooled {
                self.remove_first();
            }
        }
    }

    fn remove_first(&mut self) {
        let removed = self.spool.as_mut().and_then(Spool::remove_first);
        self.actions.extend(removed.map(ShipAction::Remove));
    }

    /// Begins what is next.
    fn advance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Pausing(until) if until <= now) {
            self.send();
        }
        if self.phase == Phase::Idle && self.ready.is_empty() {
            let is_due = self.open.due().is_some_and(|due| due <= now || self.is_finishing);
            if let Some(batch) = is_due.then(|| self.open.take()).flatten() {
                self.keep(batch);
            }
        }
        if self.phase != Phase::Idle {
            return;
        }
        if let Some(batch) = self.ready.pop_front() {
            self.held -= batch.text.len();
            return self.fly(batch, false);
        }
        let first = self.spool.as_ref().and_then(Spool::first);
        if let Some(number) = first.filter(|_| !self.is_finishing) {
            self.phase = Phase::Loading;
            self.actions.push(ShipAction::Load(number));
        }
    }

    fn fly(&mut self, batch: Batch, is_spooled: bool) {
        self.held += batch.text.len();
        self.number += 1;
        self.flight = Some(Flight { batch, is_spooled });
        self.send();
    }

    fn send(&mut self) {
        if let Some(flight) = &self.flight {
            self.actions.push(ShipAction::Send(self.number, flight.batch.text.clone()));
            self.phase = Phase::Sending;
        }
    }

    /// Moves all lines in memory to the spool, in front of those that are there; or drops them.
    fn abandon(&mut self) {
        let flight = self.flight.take().filter(|flight| !flight.is_spooled);
        let newest = self.open.take();
        let all = flight.map(|flight| flight.batch).into_iter().chain(self.ready.drain(..));
        let all: Vec<Batch> = all.collect();
        (self.held, self.phase) = (0, Phase::Loading);
        for batch in all.into_iter().rev() {
            self.put_away(batch, Spool::push_front);
        }
        if let Some(batch) = newest {
            self.put_away(batch, Spool::push);
        }
    }

    fn put_away(&mut self, batch: Batch, push: fn(&mut Spool, &Batch) -> Option<u64>) {
        match self.spool.as_mut().and_then(|spool| push(spool, &batch)) {
            Some(number) => self.actions.push(ShipAction::Store(number, batch.text)),
            None => self.losses.add(batch.lines, "the process has ended before they were sent"),
        }
    }

    fn say(&mut self, text: String) {
        self.actions.push(ShipAction::Say(text));
    }
}
