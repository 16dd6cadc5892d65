//! A single-threaded reactor: sockets, deadlines, wakes, mail and signals, one turn at a time.
//!
//! The program is one value that implements [`App`] and is lent to each [`turn`](Reactor::turn).
//! It keeps its objects in [`Arena`]s; an object that has sockets or deadlines is
//! [`Driven`], and the [`Token`] made from its [`Id`] is the one name by which readiness,
//! timers and wakes know it. Whatever happens, the object is *driven*: it looks at its own state
//! and at its sockets, does what it can, and says when it wants to be driven again at the latest.
//!
//! A turn polls, collects readiness, signals, mail, wakes of other threads and due deadlines, then drives
//! the objects concerned, each once. An object that is woken after it was driven waits for the next turn,
//! which polls without waiting. So a drive that is redundant is harmless, and only a missing one could be a
//! bug.
//!
//! A turn ends after a few milliseconds, however many objects are ready; the next one polls and goes
//! on with those that are left. Deadlines are collected after all readiness: an object whose deadline
//! has passed while the thread was held up is driven with what its sockets have received by then.
//!
//! * Readiness is sticky: two bits a socket, set by events, cleared when an operation would block.
//!   There is no interest to declare and to forget.
//! * A socket belongs to the object named by its owner token; [`Reactor::set_owner`] hands it on.
//! * Nothing is global: several reactors live in one process, each on its own thread or embedded
//!   in another loop by [`Reactor::descriptor`] and [`Reactor::next_deadline`].
//! * Time comes from a [`Clock`] and the network from a [`Transport`], so a whole program runs on
//!   virtual time (`VirtualClock`) and on a simulated network (feature `sim`).

mod arena;
mod budget;
mod clock;
mod interfaces;
mod loop_stats;
mod mailbox;
mod net;
mod os;
mod ready;
mod resolver;
mod run_queue;
mod signal;
#[cfg(feature = "sim")]
pub mod sim;
mod thread_pool;
mod timers;
mod waker;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::work;

pub use arena::{Arena, Driven, Id, Token};
pub use budget::Budget;
pub use clock::{Clock, Now, SystemClock, VirtualClock};
pub use interfaces::InterfaceWatch;
pub use loop_stats::{Histogram, LoopStats};
pub use mailbox::Mailbox;
pub use net::address_order::{FailedAddresses, interleave_families};
pub use net::connector::{ConnectError, Connector};
pub use net::listener::{Accepted, Listener, is_exhaustion};
pub use net::tcp::TcpTransport;
pub use net::transport::{Endpoint, Socket, SocketId, Transport, TransportEvent};
pub use os::{interface_addresses, raise_descriptor_limit};
pub use ready::Ready;
pub use resolver::system::SystemResolver;
pub use resolver::{NameSource, NameSources, Resolver, ResolverLimits};
pub use run_queue::WakeReason;
pub use thread_pool::ThreadPool;
pub use waker::Waker;

use net::sockets::Sockets;
use run_queue::RunQueue;
use signal::Signals;
use timers::TimerQueue;
use waker::Sleeper;

/// Mail handled in one turn; the rest comes with the next, which does not wait.
const MAIL: usize = 256;
/// A turn that has lasted so long drives nobody else; objects left are driven in the next.
const LONG: Duration = Duration::from_millis(4);
/// Counted steps of about the same time, for simulations, whose clock stands still during a turn.
const LONG_STEPS: u64 = 4_000_000;
/// Drives between two looks at the clock, which cost less than one of them.
const DRIVES_A_LOOK: usize = 4;

/// A program on a reactor.
pub trait App {
    /// What other threads may send it; see [`Mailbox`].
    type Mail: Send + 'static;

    /// Called for everything that happens.
    fn handle(&mut self, reactor: &mut Reactor<Self::Mail>, event: Event<Self::Mail>);
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<M> {
    /// The object named is to be driven. If it is gone, there is nothing to do.
    ///
    /// A socket that became ready is reported once, not for as long as it is. So operate on it until
    /// that is `Pending`: then there will be another report. Whoever stops before, because its
    /// [`Budget`] is spent, wakes itself; one that waits for something else first, as for room where
    /// the bytes are to go, goes on when it is driven for that.
    Drive(Token, WakeReason),
    /// Another thread has sent something.
    Mail(M),
    /// A signal has come that was asked for with [`Reactor::watch_signals`].
    Signal(i32),
}

/// Who can have an object driven. Passive objects that several active ones share are given this,
/// not the reactor.
pub trait Wake {
    /// Has the object named driven soon.
    fn wake(&mut self, token: Token);
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Sockets that were reported, signals, and mail.
    pub events: usize,
    /// Objects driven.
    pub driven: usize,
}

impl Turn {
    /// Whether nothing happened.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.events == 0 && self.driven == 0
    }
}

impl<M> Drop for Reactor<M> {
    fn drop(&mut self) {
        self.mailbox.close();
        self.wakes.close();
    }
}

/// The loop and what it knows of sockets, deadlines and wakes.
#[derive(Debug)]
pub struct Reactor<M> {
    transport: Box<dyn Transport>,
    clock: Box<dyn Clock>,
    now: Now,
    sockets: Sockets,
    run: RunQueue,
    timers: TimerQueue,
    mailbox: Mailbox<M>,
    /// Objects woken by other threads.
    wakes: Mailbox<Arc<Sleeper>>,
    signals: Option<Signals>,
    reports: Vec<TransportEvent>,
    mail: VecDeque<M>,
    load: LoopStats,
    /// When the last turn began, if it did something and its length is not known yet.
    turn_began: Option<Instant>,
    polls: u64,
    stopped: bool,
}

impl<M> Reactor<M> {
    /// A reactor on TCP and the machine's clocks.
    ///
    /// # Errors
    /// As [`TcpTransport::new`].
    pub fn new() -> io::Result<Self> {
        Ok(Self::with(Box::new(TcpTransport::new()?), Box::new(SystemClock)))
    }

    /// A reactor on any network and any clock.
    #[must_use]
    pub fn with(transport: Box<dyn Transport>, clock: Box<dyn Clock>) -> Self {
        Self {
            now: clock.now(),
            mailbox: Mailbox::new(transport.waker()),
            wakes: Mailbox::new(transport.waker()),
            transport,
            clock,
            sockets: Sockets::default(),
            run: RunQueue::default(),
            timers: TimerQueue::default(),
            signals: None,
            reports: Vec::new(),
            mail: VecDeque::new(),
            load: LoopStats::default(),
            turn_began: None,
            polls: 0,
            stopped: false,
        }
    }

    /// Turns until [`stop`](Self::stop) is called.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn run<A: App<Mail = M>>(&mut self, app: &mut A) -> io::Result<()> {
        self.stopped = false;
        while !self.stopped {
            self.turn(app, None)?;
        }
        Ok(())
    }

    /// Makes [`run`](Self::run) return after the current turn.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Waits until something happens, `timeout` at the longest (without end if `None`), and lets
    /// `app` handle it.
    ///
    /// # Errors
    /// If the poll itself fails; nothing a peer does makes it.
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

    /// When the next turn should come at the latest, if nothing happens before; `None` if only an
    /// event can bring one. The turn may come early and find nothing due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_work() { Some(self.now.mono) } else { self.timers.next() }
    }

    /// The descriptor that becomes readable when a turn would find something, for embedding in
    /// another loop. A simulated network has none. A turn may leave something to do: where the other
    /// loop is edge-triggered, turn until [`Turn::is_idle`].
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.transport.descriptor()
    }

    /// Returns how often the reactor has polled: a number of its own for each turn.
    #[must_use]
    pub const fn polls(&self) -> u64 {
        self.polls
    }

    /// The time at which this turn began.
    #[must_use]
    pub const fn now(&self) -> Now {
        self.now
    }

    /// How busy it was so far.
    #[must_use]
    pub const fn load(&self) -> &LoopStats {
        &self.load
    }

    /// A sender to this reactor, for other threads.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox<M> {
        self.mailbox.clone()
    }

    /// Returns what wakes the object named from other threads.
    #[must_use]
    pub fn waker(&self, token: Token) -> Waker {
        Waker::new(token, self.wakes.clone())
    }

    /// Has `signals` delivered as [`Event::Signal`] instead of their usual effect. They are blocked
    /// in this thread, and in those it starts from now on, until the reactor is dropped.
    ///
    /// # Errors
    /// If a number is no signal, if called a second time, or on a simulated network.
    pub fn watch_signals(&mut self, signals: &[i32]) -> io::Result<()> {
        if self.signals.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let signals = Signals::new(signals)?;
        self.transport.watch(signals.descriptor())?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Sets when the object named is to be driven at the latest, or that no time will do it; what
    /// was set before is forgotten. Costs next to nothing if the time only moves later.
    pub fn set_deadline(&mut self, token: Token, deadline: Option<Instant>) {
        self.timers.set(token, deadline);
    }

    /// How many wakes were for an object whose place belongs to another by now. They do no harm.
    #[must_use]
    pub const fn stale_wakes(&self) -> u64 {
        self.run.stale()
    }

    /// Has those driven that other threads have woken; returns how many.
    fn take_wakes(&mut self) -> usize {
        if !self.wakes.is_waiting() {
            return 0;
        }
        let mut woken = VecDeque::new();
        self.wakes.take(&mut woken, MAIL);
        woken.iter().for_each(|sleeper| self.run.wake(sleeper.take(), WakeReason::WAKE));
        woken.len()
    }

    /// Returns true if a turn that has driven so many objects since it `began` should end.
    fn is_long(&self, driven: usize, began: work::Mark) -> bool {
        let look = driven > 0 && driven.is_multiple_of(DRIVES_A_LOOK);
        let worked = began.steps() >= LONG_STEPS;
        worked || look && self.clock.now().mono.duration_since(self.now.mono) >= LONG
    }

    /// Whether there is something to do without an event.
    fn has_work(&self) -> bool {
        !self.run.is_empty() || self.mailbox.is_waiting() || self.wakes.is_waiting()
    }

    fn poll_timeout(&mut self, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) || self.has_work() {
            return Some(Duration::ZERO);
        }
        let Some(deadline) = self.timers.next() else { return limit };
        let now = self.clock.now().mono;
        self.turn_ended(now);
        let until = deadline.saturating_duration_since(now);
        Some(limit.map_or(until, |limit| limit.min(until)))
    }

    /// Notes how long the last turn took. The clock is not read for that alone: where nothing else
    /// asks for the time between two turns, it stays unknown.
    fn turn_ended(&mut self, now: Instant) {
        if let Some(began) = self.turn_began.take() {
            self.load.turns.record(now.saturating_duration_since(began));
        }
    }
}

impl<M> Wake for Reactor<M> {
    fn wake(&mut self, token: Token) {
        self.run.wake(token, WakeReason::WAKE);
    }
}
