//! State machine of the supervisor.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ended::{Ended, REFUSED};
use super::event::{Action, Event, Number};
use super::restarts::{MOST_AT_START, Restarts};
use super::worker::{Role, START, Worker};

/// An upgrade in progress.
#[derive(Clone, Debug)]
struct Upgrade {
    /// The worker that starts.
    worker: Number,
    /// The worker whose operator waits.
    by: Option<Number>,
}

/// The supervisor of workers.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// Longest time between two signs of life of a worker.
    heartbeat: Duration,
    workers: BTreeMap<Number, Worker>,
    /// Number of the worker that was started last.
    last: Number,
    restarts: Restarts,
    /// Time of the next start.
    start_at: Option<Instant>,
    upgrade: Option<Upgrade>,
    /// True once a worker was ready.
    has_served: bool,
    is_stopping: bool,
    /// Exit code of the worker that has ended last.
    code: u8,
    actions: Vec<Action>,
}

impl Supervisor {
    pub(crate) fn new(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            workers: BTreeMap::new(),
            last: 0,
            restarts: Restarts::default(),
            start_at: None,
            upgrade: None,
            has_served: false,
            is_stopping: false,
            code: 0,
            actions: Vec::new(),
        }
    }

    /// Continues for a supervisor whose workers these are: the active one, if there is one, and those that
    /// drain.
    pub(crate) fn resumed(
        heartbeat: Duration,
        last: Number,
        (active, draining): (Option<Number>, &[Number]),
        now: Instant,
    ) -> Self {
        let active = active.map(|number| (number, Worker::new(Role::Active, now)));
        let draining = draining.iter().map(|&number| (number, Worker::new(Role::Draining, now)));
        let workers: BTreeMap<_, _> = active.into_iter().chain(draining).collect();
        let start_at = workers.values().all(|worker| worker.role != Role::Active).then_some(now);
        Self { workers, last, start_at, has_served: true, ..Self::new(heartbeat) }
    }

    /// Returns the active worker.
    pub(crate) fn active(&self) -> Option<Number> {
        self.with(Role::Active)
    }

    /// Returns the number of the worker that was started last.
    pub(crate) const fn last(&self) -> Number {
        self.last
    }

    /// Returns true if no worker starts: only then another supervisor can continue with the workers.
    pub(crate) fn is_settled(&self) -> bool {
        self.with(Role::Starting).is_none()
    }

    /// Returns true if a worker starts to take the place of another one.
    pub(crate) const fn is_upgrading(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Handles an event at the time `now`, and returns what has to be done.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Begin => self.start(now),
            Event::Ready(number) => self.ready(number, now),
            Event::Beat(number) => self.beat(number, now),
            Event::Failed(number, reason) => self.failed(number, &reason),
            Event::Draining(number) => self.drains(number, now),
            Event::Ended(number, how) => self.ended(number, &how, now),
            Event::NotStarted(number, reason, code) => {
                self.not_started(number, &reason, code, now);
            }
            Event::Upgrade(by) => self.begin_upgrade(by, now),
            Event::Stop => self.stop(now),
            Event::StopAtOnce => {
                self.stop(now);
                let all: Vec<_> = self.workers.keys().copied().collect();
                self.actions.extend(all.into_iter().map(Action::Stop));
            }
            Event::Tick => self.tick(now),
        }
        std::mem::take(&mut self.actions)
    }

    /// Returns the time of the next [`Event::Tick`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let of_workers = self.workers.values().map(|worker| worker.deadline(self.heartbeat));
        of_workers.chain(self.start_at).min()
    }

    fn with(&self, role: Role) -> Option<Number> {
        self.workers.iter().find(|(_, worker)| worker.role == role).map(|(&number, _)| number)
    }

    fn start(&mut self, now: Instant) {
        self.start_at = None;
        self.last += 1;
        self.workers.insert(self.last, Worker::new(Role::Starting, now));
        self.actions.push(Action::Start(self.last));
    }

    fn failed(&mut self, number: Number, reason: &str) {
        if let Some(worker) = self.workers.get_mut(&number) {
            worker.reason = Some(unmarked(reason).to_owned());
        }
    }

    fn say(&mut self, line: String) {
        self.actions.push(Action::Say(line));
    }

    fn ready(&mut self, number: Number, now: Instant) {
        let before = self.active();
        let Some(worker) = self.workers.get_mut(&number) else { return };
        if worker.role != Role::Starting || worker.aborted.is_some() {
            return;
        }
        *worker = Worker::new(Role::Active, now);
        if self.is_stopping {
            return; // it finds the order to drain
        }
        self.has_served = true;
        self.actions.extend([Action::Keep(number), Action::Serving(number)]);
        let upgrade = self.upgrade.take_if(|upgrade| upgrade.worker == number);
        let told = match before {
            Some(old) => format!("worker {number} has taken over; worker {old} drains"),
            None => format!("worker {number} serves"),
        };
        self.say(told.clone());
        if let Some(operator) = upgrade.as_ref().and_then(|upgrade| upgrade.by) {
            self.actions.push(Action::Answer(operator, Ok(told)));
        }
        if let Some(old) = before {
            self.change_role(old, Role::Draining, now);
            self.actions.push(Action::Drain(old, true));
        }
        if upgrade.is_some() {
            self.actions.push(Action::Become(number));
        }
    }

    fn change_role(&mut self, number: Number, role: Role, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&number) {
            (worker.role, worker.since) = (role, now);
        }
    }

    fn beat(&mut self, number: Number, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&number) {
            worker.heard = now;
        }
    }

    /// Handles a drain that the supervisor has not ordered: an operator has sent a signal to the worker.
    fn drains(&mut self, number: Number, now: Instant) {
        if self.is_stopping || self.active() != Some(number) {
            return;
        }
        self.change_role(number, Role::Draining, now);
        if self.with(Role::Starting).is_none() {
            self.say(format!("worker {number} drains; another one takes its place"));
            self.start(now);
        }
    }

    fn ended(&mut self, number: Number, how: &Ended, now: Instant) {
        let Some(worker) = self.workers.remove(&number) else { return };
        self.code = how.code();
        if worker.role == Role::Starting && self.has_served {
            self.actions.push(Action::Discard(number)); // before, connections wait for the next worker
        }
        if self.is_stopping {
            return self.exit_if_over();
        }
        let how = match &worker.reason {
            Some(reason) => format!("did not start: {reason}"),
            None if worker.role == Role::Starting => format!("{how} before it was ready"),
            None => how.to_string(),
        };
        match (worker.role, self.upgrade.take_if(|upgrade| upgrade.worker == number)) {
            (Role::Draining, _) => self.say(format!("worker {number}, which drained, {how}")),
            (_, Some(upgrade)) if self.active().is_some() => self.not_upgraded(&upgrade, &how),
            _ => self.died(number, &worker, &how, now),
        }
    }

    /// Handles a worker without a process. At the first start, that is the end: the operator is there.
    fn not_started(&mut self, number: Number, reason: &str, code: u8, now: Instant) {
        if self.has_served || self.is_stopping {
            self.failed(number, reason);
            return self.ended(number, &Ended::Exit(code), now);
        }
        self.say(format!("error: {}", unmarked(reason)));
        self.actions.push(Action::Exit(code));
    }

    fn not_upgraded(&mut self, upgrade: &Upgrade, how: &str) {
        let failed = format!("not upgraded: worker {} {how}", upgrade.worker);
        if let Some(operator) = upgrade.by {
            self.actions.push(Action::Answer(operator, Err(failed.clone())));
        }
        self.say(failed);
    }

    /// Schedules a start after a death, unless a worker starts already, or the first ones have failed.
    fn died(&mut self, number: Number, worker: &Worker, how: &str, now: Instant) {
        let is_active = worker.role == Role::Active;
        let served = if is_active { now - worker.since } else { Duration::ZERO };
        let hung = if worker.aborted.is_some() { ", which hung," } else { "" };
        self.say(format!("worker {number}{hung} {how}"));
        let delay = self.restarts.count(served);
        if !self.has_served && self.code == REFUSED {
            self.actions.push(Action::Exit(REFUSED));
        } else if !self.has_served && self.restarts.deaths() >= MOST_AT_START {
            self.say(format!(
                "error: {MOST_AT_START} workers in a row have ended before they were ready; the \
                 reasons are above"
            ));
            self.actions.push(Action::Exit(1));
        } else if self.with(Role::Starting).is_none() {
            self.start_at = Some(now + delay);
            if !delay.is_zero() {
                let deaths = self.restarts.deaths();
                let line = format!("death {deaths} in a row; the next worker starts in {delay:?}");
                self.actions.push(Action::Waiting(line));
            }
        }
    }

    fn begin_upgrade(&mut self, by: Option<Number>, now: Instant) {
        let refused = match (self.is_stopping, self.with(Role::Starting)) {
            (true, _) => Some("the supervisor is stopping".to_owned()),
            (false, Some(other)) => Some(format!("worker {other} is starting; try again later")),
            (false, None) => None,
        };
        match (refused, by) {
            (None, _) => {
                self.upgrade = Some(Upgrade { worker: self.last + 1, by });
                self.start(now);
            }
            (Some(why), Some(operator)) => {
                let refused = format!("not upgraded: {why}");
                self.actions.push(Action::Answer(operator, Err(refused)));
            }
            (Some(why), None) => self.say(format!("not upgraded: {why}")),
        }
    }

    fn stop(&mut self, now: Instant) {
        if std::mem::replace(&mut self.is_stopping, true) {
            return;
        }
        self.start_at = None;
        if let Some(operator) = self.upgrade.take().and_then(|upgrade| upgrade.by) {
            let why = "not upgraded: the supervisor is stopping".to_owned();
            self.actions.push(Action::Answer(operator, Err(why)));
        }
        self.actions.push(Action::Close);
        let drain = |(&number, worker): (&Number, &Worker)| {
            (worker.role != Role::Draining).then_some(number)
        };
        let told: Vec<_> = self.workers.iter().filter_map(drain).collect();
        for number in told {
            if self.active() == Some(number) {
                self.change_role(number, Role::Draining, now);
            }
            self.actions.push(Action::Drain(number, false));
        }
        self.exit_if_over();
    }

    fn exit_if_over(&mut self) {
        if self.workers.is_empty() {
            self.actions.push(Action::Exit(self.code));
        }
    }

    /// Starts a worker that is due, and aborts or kills those that hang.
    fn tick(&mut self, now: Instant) {
        if self.start_at.is_some_and(|at| at <= now) {
            self.start(now);
        }
        let all: Vec<_> =
            self.workers.iter().map(|(&n, worker)| (n, worker.deadline(self.heartbeat))).collect();
        for (number, _) in all.into_iter().filter(|(_, deadline)| *deadline <= now) {
            let Some(worker) = self.workers.get_mut(&number) else { continue };
            if worker.aborted.replace(now).is_some() {
                self.actions.push(Action::Kill(number));
                continue;
            }
            let line = match worker.role {
                Role::Starting => format!("worker {number} is not ready after {START:?}"),
                Role::Active | Role::Draining => {
                    format!("worker {number} hangs: no heartbeat for {:?}", self.heartbeat)
                }
            };
            self.actions.extend([Action::Say(line), Action::Abort(number)]);
        }
    }
}

/// Returns a message without the mark of a rendered error.
fn unmarked(message: &str) -> &str {
    message.strip_prefix("error: ").unwrap_or(message)
}
