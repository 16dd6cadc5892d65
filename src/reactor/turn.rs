//! Turns of the event loop: one poll, then the signals, mail and drives that it causes.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crate::work;

use super::run_queue::WakeReason;
use super::signal::Signals;
use super::{App, Event, Reactor};

/// Mail messages handled in one turn; the rest waits for the next turn, which polls without
/// waiting.
const MAIL: usize = 256;
/// Duration after which a turn drives no further object; the remaining objects are driven in the
/// next turn.
const LONG: Duration = Duration::from_millis(4);
/// Counted steps that take about as long, for simulations, whose clock stands still during a turn.
const LONG_STEPS: u64 = 4_000_000;
/// Drives between two readings of the clock, so that reading it costs less than one of the drives.
const DRIVES_A_LOOK: usize = 4;

/// Numbers of events and drives in one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Sockets reported ready, signals, mail, and wakes by other threads.
    pub events: usize,
    /// Drives, including those of objects that no longer exist.
    pub driven: usize,
}

impl Turn {
    /// Returns true if nothing happened.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.events == 0 && self.driven == 0
    }
}

impl<M> Reactor<M> {
    /// Waits for events, at most for `timeout` (without limit if `None`), and passes them to `app`.
    /// The wait ends early at the next deadline, and does not begin while objects or mail are
    /// queued.
    ///
    /// An interrupting signal also ends the wait, so the turn may have handled nothing
    /// ([`Turn::is_idle`]).
    ///
    /// # Errors
    /// Fails only if the poll itself fails; no action of a peer causes an error.
    pub fn turn<A: App<Mail = M>>(
        &mut self,
        app: &mut A,
        timeout: Option<Duration>,
    ) -> io::Result<Turn> {
        let timeout = self.poll_timeout(timeout);
        let mut reports = std::mem::take(&mut self.reports);
        let polled = self.transport.poll(&mut reports, timeout);
        self.now = self.clock.now();
        self.polls += 1;
        self.sockets.begin_turn(self.now.mono, &mut *self.transport);
        if timeout == Some(Duration::ZERO) {
            self.turn_ended(self.now.mono);
        }
        let (ready, noticed) = self.note(&mut reports);
        let mut turn = Turn { events: ready, driven: 0 };
        self.reports = reports;
        polled?;

        if noticed {
            while let Some(signal) = self.signals.as_mut().and_then(Signals::next) {
                turn.events += 1;
                app.handle(self, Event::Signal(signal));
            }
        }
        if self.mailbox.is_waiting() {
            let mut mail = std::mem::take(&mut self.mail);
            self.mailbox.take(&mut mail, MAIL);
            turn.events += mail.len();
            for mail in mail.drain(..) {
                app.handle(self, Event::Mail(mail));
            }
            self.mail = mail;
        }
        turn.events += self.take_wakes();
        if let Some(due) = self.timers.next().filter(|&due| due <= self.now.mono) {
            self.load.lag.record(self.now.mono.duration_since(due));
        }
        while let Some(token) = self.timers.pop_due(self.now.mono) {
            self.run.wake(token, WakeReason::TIMER);
        }
        self.transport.shuffle(self.run.current_mut());
        let began = work::Mark::now();
        while !self.is_long(turn.driven, began)
            && let Some((token, why)) = self.run.pop()
        {
            turn.driven += 1;
            app.handle(self, Event::Drive(token, why));
        }
        self.run.end_turn();
        let mut reports = std::mem::take(&mut self.reports);
        self.transport.end_turn(&mut reports);
        self.note(&mut reports);
        self.reports = reports;
        self.turn_began = (!turn.is_idle()).then_some(self.now.mono);
        Ok(turn)
    }

    /// Queues the objects that other threads have woken. Returns their number.
    fn take_wakes(&mut self) -> usize {
        if !self.wakes.is_waiting() {
            return 0;
        }
        let mut woken = VecDeque::new();
        self.wakes.take(&mut woken, MAIL);
        woken.iter().for_each(|sleeper| self.run.wake(sleeper.take(), WakeReason::WAKE));
        woken.len()
    }

    /// Returns true if a turn that began at `began` and has driven `driven` objects should end.
    fn is_long(&self, driven: usize, began: work::Mark) -> bool {
        let look = driven > 0 && driven.is_multiple_of(DRIVES_A_LOOK);
        let worked = began.steps() >= LONG_STEPS;
        worked || look && self.clock.now().mono.duration_since(self.now.mono) >= LONG
    }

    /// Returns true if a turn has something to do without an event.
    pub(super) fn has_work(&self) -> bool {
        !self.run.is_empty() || self.mailbox.is_waiting() || self.wakes.is_waiting()
    }

    /// Returns the time at which a turn has something to do without an event, if that is later.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.sockets.next_deadline()).min()
    }

    fn poll_timeout(&mut self, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) || self.has_work() {
            return Some(Duration::ZERO);
        }
        let Some(deadline) = self.next_due() else { return limit };
        let now = self.clock.now().mono;
        self.turn_ended(now);
        let until = deadline.saturating_duration_since(now);
        Some(limit.map_or(until, |limit| limit.min(until)))
    }

    /// Records the duration of the last turn. The clock is not read for that alone: the duration
    /// stays unknown unless the time is read anyway between two turns.
    fn turn_ended(&mut self, now: Instant) {
        if let Some(began) = self.turn_began.take() {
            self.load.turns.record(now.saturating_duration_since(began));
        }
    }
}
