//! Shipping of access log lines: a thread that decides, with files, and one that sends.

mod folder;
mod sender;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::ShipSettings;
use crate::reactor::{Clock, SystemClock};
use crate::shipping::{Answer, ShipAction, ShipEvent, ShipLimits, Shipper};

use super::identity::Identity;
use super::notices::Notices;

use folder::SpoolFolder;
use sender::BatchSender;

/// Time between two attempts to take a spool that another process uses.
const TAKE_SPOOL: Duration = Duration::from_secs(1);

/// Shipping that is ready to be started, with the spool open.
#[derive(Debug)]
pub(super) struct Prepared {
    settings: ShipSettings,
    folder: Option<SpoolFolder>,
}

/// Shipping of lines. Clones share the threads.
#[derive(Clone, Debug)]
pub(super) struct Shipping(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Most bytes of lines that wait for the thread.
    capacity: usize,
    inbox: Mutex<Inbox>,
    /// Signalled when the inbox has something.
    more: Condvar,
    /// Signalled when the thread has ended.
    ended: Condvar,
    /// Lines that the shipper has lost.
    lost: AtomicU64,
    /// Lines that had no room in the inbox.
    missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Inbox {
    lines: String,
    answer: Option<Answer>,
    /// Lines that had no room, and are not reported yet.
    missed: u64,
    /// Time at which the thread ends, whatever was not sent.
    end: Option<Instant>,
    running: bool,
}

impl Prepared {
    /// Creates the folder of the spool, if there is one.
    ///
    /// # Errors
    /// Fails if the folder cannot be created or written.
    pub(super) fn new(settings: ShipSettings) -> io::Result<Self> {
        let folder = settings.spool.as_deref().map(SpoolFolder::create).transpose()?;
        Ok(Self { settings, folder })
    }

    /// Makes the user the owner of the spool.
    ///
    /// # Errors
    /// Fails if the owner of a file cannot be changed.
    pub(super) fn hand_over(&self, identity: &Identity) -> io::Result<()> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.hand_over(identity))
    }

    /// Returns the folder of the spool, if there is one.
    pub(super) fn spool(&self) -> Option<&Path> {
        self.folder.as_ref().map(SpoolFolder::path)
    }

    /// Returns the port of the server.
    pub(super) const fn port(&self) -> u16 {
        self.settings.server.port
    }
}

impl Shipping {
    /// Creates shipping whose lines wait until [`start`](Self::start), up to `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self(Arc::new(Shared {
            capacity,
            inbox: Mutex::default(),
            more: Condvar::new(),
            ended: Condvar::new(),
            lost: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }))
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn start(&self, prepared: Prepared, notices: Notices) -> io::Result<()> {
        let Prepared { settings, folder } = prepared;
        let limits = settings.limits;
        let (batches, to_send) = channel();
        let shared = Arc::clone(&self.0);
        let sender = BatchSender::new(settings);
        let send = move || sender.work(&to_send, |answer| shared.answer(answer));
        thread::Builder::new().name("log-sending".into()).spawn(send)?;
        let thread = ShipThread::new(limits, Arc::clone(&self.0), folder, notices, batches);
        self.0.lock().running = true;
        let started = thread::Builder::new().name("log-shipping".into());
        let started = started.spawn(move || thread.work());
        started.map(drop).inspect_err(|_| self.0.lock().running = false)
    }

    /// Queues whole lines in JSON and empties `lines`. Lines without room are dropped and counted.
    pub(super) fn write(&self, lines: &mut String) {
        let mut inbox = self.0.lock();
        let is_full = !inbox.lines.is_empty() && inbox.lines.len() + lines.len() > self.0.capacity;
        if is_full || inbox.end.is_some() {
            let number = lines.lines().count() as u64;
            inbox.missed += number;
            self.0.missed.fetch_add(number, Ordering::Relaxed);
        } else if inbox.lines.is_empty() {
            std::mem::swap(&mut inbox.lines, lines);
        } else {
            inbox.lines.push_str(lines);
        }
        lines.clear();
        self.0.more.notify_one();
    }

    /// Returns the number of lines that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed) + self.0.missed.load(Ordering::Relaxed)
    }

    /// Sends the remaining lines, at most for `patience`; what is left then goes to the spool. Returns false if
    /// the disk takes as long again.
    pub(super) fn finish(&self, patience: Duration) -> bool {
        let mut inbox = self.0.lock();
        inbox.end = Some(now() + patience);
        self.0.more.notify_one();
        let runs = |inbox: &mut Inbox| inbox.running;
        // The files are written after `patience`.
        let waited = self.0.ended.wait_timeout_while(inbox, patience * 2, runs);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Shared {
    fn answer(&self, answer: Answer) {
        self.lock().answer = Some(answer);
        self.more.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do, until `deadline` at the latest.
    fn next(&self, deadline: Option<Instant>, is_finishing: bool) -> Inbox {
        let mut inbox = self.lock();
        loop {
            let ends = inbox.end.filter(|_| is_finishing);
            let left = deadline.into_iter().chain(ends).min();
            let left = left.map(|at| at.saturating_duration_since(now()));
            let is_told = inbox.end.is_some() && !is_finishing;
            let has_something = !inbox.lines.is_empty() || inbox.answer.is_some() || is_told;
            if has_something || left.is_some_and(|left| left.is_zero()) {
                let (lines, answer) = (std::mem::take(&mut inbox.lines), inbox.answer.take());
                let missed = std::mem::take(&mut inbox.missed);
                return Inbox { lines, answer, missed, end: inbox.end, running: true };
            }
            inbox = match left {
                Some(left) => {
                    self.more.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.more.wait(inbox).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The thread that decides.
struct ShipThread {
    shipper: Shipper,
    shared: Arc<Shared>,
    folder: Option<SpoolFolder>,
    /// Time of the next attempt to take the spool.
    take_at: Option<Instant>,
    notices: Notices,
    batches: Sender<(u64, String)>,
    random: RandomState,
}

impl ShipThread {
    fn new(
        limits: ShipLimits,
        shared: Arc<Shared>,
        folder: Option<SpoolFolder>,
        notices: Notices,
        batches: Sender<(u64, String)>,
    ) -> Self {
        Self {
            shipper: Shipper::new(limits),
            shared,
            take_at: folder.as_ref().map(|_| now()),
            folder,
            notices,
            batches,
            random: RandomState::new(),
        }
    }

    fn work(mut self) {
        let mut is_finishing = false;
        loop {
            let deadline = self.shipper.deadline().into_iter().chain(self.take_at).min();
            let Inbox { lines, answer, missed, end, .. } = self.shared.next(deadline, is_finishing);
            self.take_spool();
            if !lines.is_empty() {
                self.handle(ShipEvent::Lines(&lines));
            }
            if missed > 0 {
                self.handle(ShipEvent::Missed(missed));
            }
            if let Some(answer) = answer {
                let fraction = self.fraction();
                self.handle(ShipEvent::Answered(answer, fraction));
            }
            let event =
                if end.is_some() && !is_finishing { ShipEvent::Finish } else { ShipEvent::Tick };
            is_finishing |= end.is_some();
            self.handle(event);
            let is_over = end.is_some_and(|end| end <= now());
            if is_finishing && (is_over || self.shipper.is_done()) {
                break;
            }
        }
        // The process that had the spool may have ended since.
        self.take_at = self.take_at.map(|_| now());
        self.take_spool();
        self.handle(ShipEvent::Abandon);
        self.shared.lock().running = false;
        self.shared.ended.notify_all();
    }

    /// Takes the spool, unless another process has it, such as one that drains.
    fn take_spool(&mut self) {
        let Some(folder) = &self.folder else { return };
        if self.take_at.is_none_or(|at| at > now()) {
            return;
        }
        match folder.take() {
            Ok(Some(segments)) => {
                self.take_at = None;
                self.handle(ShipEvent::Opened(segments));
            }
            Ok(None) => self.take_at = Some(now() + TAKE_SPOOL),
            Err(error) => {
                self.take_at = None;
                let path = folder.path().display();
                self.notices
                    .say(format_args!("log shipping: the spool {path} is not used: {error}"));
            }
        }
    }

    /// Has the shipper handle an event, and does what it wants, also after the events that result.
    fn handle(&mut self, event: ShipEvent<'_>) {
        let mut actions: Vec<_> = self.shipper.handle(event, now());
        while !actions.is_empty() {
            let mut further = Vec::new();
            for action in actions {
                if let Some(event) = self.perform(action) {
                    further.extend(self.shipper.handle(event, now()));
                }
            }
            actions = further;
        }
        self.shared.lost.store(self.shipper.lost(), Ordering::Relaxed);
    }

    fn perform(&self, action: ShipAction) -> Option<ShipEvent<'static>> {
        let folder = self.folder.as_ref();
        match action {
            // The thread that sends ends with this one.
            ShipAction::Send(number, text) => drop(self.batches.send((number, text))),
            ShipAction::Say(text) => self.notices.say(format_args!("log shipping: {text}")),
            ShipAction::Store(number, text) => {
                let stored = folder?.store(number, &text);
                return stored.err().map(|error| ShipEvent::NotStored(number, error.to_string()));
            }
            ShipAction::Load(number) => {
                return Some(match folder?.load(number) {
                    Ok(text) => ShipEvent::Loaded(text),
                    Err((lines, reason)) => ShipEvent::NotLoaded(lines, reason),
                });
            }
            ShipAction::Remove(number) => folder?.remove(number),
        }
        None
    }

    /// Returns a random number from 0 to less than 1.
    fn fraction(&self) -> f64 {
        let random = self.random.hash_one(now()) >> 32;
        f64::from(u32::try_from(random).unwrap_or(0)) / 2_f64.powi(32)
    }
}

fn now() -> Instant {
    SystemClock.now().mono
}
