//! A single-threaded reactor: sockets, deadlines, wakes, mail from other threads, and signals.
//!
//! A program is one value that implements [`App`]. Each call of [`Reactor::turn`] borrows the
//! program, waits for events, and passes every event to [`App::handle`] together with the reactor.
//! Sockets belong to the reactor; the program holds their names ([`SocketId`]). The platform is
//! 64-bit Linux.
//!
//! # Objects, tokens and drives
//!
//! The program keeps its objects in [`Arena`]s. An object that has sockets or a deadline is
//! [`Driven`], and the [`Token`] made from its [`Id`] names the object to the reactor. Whatever
//! happens to the object, the program gets the same event: [`Event::Drive`] with the token. To
//! *drive* an object means to look at its state and its sockets, to do what can be done without
//! waiting, and to set the latest time of the next drive ([`Reactor::set_deadline`]), much as a
//! `Future` is polled. A redundant drive is therefore harmless; only a missing one is a bug.
//!
//! # Turns
//!
//! A turn polls the sockets. It then passes signals and mail to the program, collects wakes by
//! other threads and due deadlines, and drives each object concerned once. An object that is woken
//! after its drive waits for the next turn, and that turn polls without waiting.
//!
//! A turn stops driving after about four milliseconds, however many objects are ready. The next
//! turn polls and drives the remaining objects first. Deadlines are collected after all readiness:
//! an object whose deadline passed while the thread was held up is driven once, with everything its
//! sockets have received by then.
//!
//! * Readiness is sticky: two bits per socket, set by events and cleared when an operation would
//!   block. There is no interest to declare, and none to forget.
//! * Each socket belongs to the object named by its owner token; [`Reactor::set_owner`] changes the
//!   owner.
//! * Nothing is global: several reactors run in one process, each on its own thread, or embedded in
//!   another loop by [`Reactor::descriptor`] and [`Reactor::next_deadline`].
//! * Time comes from a [`Clock`] and the network from a [`Transport`], so a whole program runs on
//!   virtual time ([`VirtualClock`]) and on a simulated network (feature `sim`).
//!
//! # Duties of a program
//!
//! The reactor does not check that a program
//!
//! * gives every type its own [`Driven::KIND`], and keeps all objects of one kind in one arena;
//! * operates on a ready socket until the operation is `Pending`, or wakes the object for another
//!   drive (see [`Event::Drive`]);
//! * gives each accepted connection an owner ([`Reactor::set_owner`]): a socket without one never
//!   causes a drive;
//! * closes the sockets of an object that it removes ([`Reactor::close`]): a [`SocketId`] is a
//!   copyable name, and dropping it closes nothing;
//! * passes [`Listener::next_deadline`] to [`Reactor::set_deadline`] after [`Listener::accept`],
//!   and calls [`Listener::resume`] after a removal has made room.
//!
//! # Example
//!
//! A server that reads and discards everything (RFC 863):
//!
//! ```no_run
//! use std::task::Poll;
//! use tidegate::reactor::{
//!     App, Arena, Budget, Driven, Event, Id, Listener, Reactor, SocketId, Token, Wake,
//! };
//!
//! struct Gate(Listener);
//! impl Driven for Gate {
//!     const KIND: u8 = 0;
//! }
//!
//! struct Client(SocketId);
//! impl Driven for Client {
//!     const KIND: u8 = 1;
//! }
//!
//! struct Discard {
//!     gates: Arena<Gate>,
//!     clients: Arena<Client>,
//! }
//!
//! impl Discard {
//!     fn accept(&mut self, reactor: &mut Reactor<()>, id: Id<Gate>) {
//!         let Some(Gate(listener)) = self.gates.get_mut(id) else { return };
//!         let mut accepted = Vec::new();
//!         let room = 1000_usize.saturating_sub(self.clients.len());
//!         let _ = listener.accept(reactor, room, &mut accepted); // errors delay the next one
//!         reactor.set_deadline(id.token(), listener.next_deadline());
//!         for (io, _address) in accepted {
//!             let client = self.clients.insert(Client(io));
//!             reactor.set_owner(io, client.token());
//!         }
//!     }
//!
//!     fn receive(&mut self, reactor: &mut Reactor<()>, id: Id<Client>) {
//!         let Some(&Client(io)) = self.clients.get(id) else { return };
//!         let (mut buffer, mut budget) = (Vec::with_capacity(4096), Budget::default());
//!         while !budget.is_spent() {
//!             buffer.clear();
//!             match reactor.recv(io, &mut buffer) {
//!                 Poll::Pending => return, // driven again when there is more
//!                 Poll::Ready(Ok(n)) if n > 0 => budget.spend_in(n),
//!                 Poll::Ready(_) => return self.remove(reactor, id), // the end, or an error
//!             }
//!         }
//!         reactor.wake(id.token()); // let other clients have their share first
//!     }
//!
//!     fn remove(&mut self, reactor: &mut Reactor<()>, id: Id<Client>) {
//!         let Some(Client(io)) = self.clients.remove(id) else { return };
//!         reactor.close(io);
//!         self.gates.iter_mut().for_each(|(_, Gate(listener))| listener.resume(reactor));
//!     }
//! }
//!
//! impl App for Discard {
//!     type Mail = ();
//!
//!     fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
//!         let Event::Drive(token, _) = event else { return };
//!         if let Some(gate) = token.id::<Gate>() {
//!             self.accept(reactor, gate);
//!         } else if let Some(client) = token.id::<Client>() {
//!             self.receive(reactor, client);
//!         }
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let mut reactor = Reactor::new()?;
//! let mut program = Discard { gates: Arena::new(), clients: Arena::new() };
//! let address: std::net::SocketAddr = "127.0.0.1:9009".parse().unwrap();
//! program.gates.try_insert_with(|id: Id<Gate>| {
//!     Listener::bind(&mut reactor, address, id.token()).map(Gate)
//! })?;
//! reactor.run(&mut program)
//! # }
//! ```

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
mod turn;
mod waker;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

pub use arena::{Arena, Driven, Id, Token};
pub use budget::Budget;
pub use clock::{Clock, Now, SystemClock, VirtualClock};
pub use interfaces::InterfaceWatch;
pub use loop_stats::{Histogram, LoopStats};
pub use mailbox::Mailbox;
pub use net::address_order::{FailedAddresses, interleave_families};
pub use net::connector::{ConnectError, Connector};
pub use net::layer::{Layer, Wire};
pub use net::listener::{Accepted, Listener, is_exhaustion};
pub use net::local::{LocalFile, open_local};
pub use net::local_connector::LocalConnector;
pub use net::open::open_listener;
pub use net::tcp::TcpTransport;
pub use net::transport::{
    Endpoint, FileRange, LocalOptions, Socket, SocketId, Transport, TransportEvent,
};
#[cfg(feature = "cli")]
pub(crate) use os::take_inherited;
pub use os::{interface_addresses, is_in_memory, raise_descriptor_limit};
pub use ready::Ready;
pub use resolver::system::SystemResolver;
pub use resolver::{NameSource, NameSources, Resolver, ResolverLimits};
pub use run_queue::WakeReason;
pub use thread_pool::ThreadPool;
pub use turn::Turn;
pub use waker::Waker;

use net::sockets::Sockets;
use run_queue::RunQueue;
use signal::Signals;
use timers::TimerQueue;
use waker::Sleeper;

/// A program on a reactor.
pub trait App {
    /// Messages that other threads may send to the program; see [`Mailbox`].
    type Mail: Send + 'static;

    /// Handles one event. Must not block: everything else on the reactor waits meanwhile.
    ///
    /// A fatal error has no way out of here: store it in the program, call [`Reactor::stop`], and
    /// look for it after [`Reactor::run`].
    fn handle(&mut self, reactor: &mut Reactor<Self::Mail>, event: Event<Self::Mail>);
}

/// An event of a turn, passed to [`App::handle`].
#[derive(Debug)]
pub enum Event<M> {
    /// The object named by the token must be driven; nothing needs to be done if it no longer
    /// exists.
    ///
    /// A socket that became ready is reported once, not for as long as it is ready. Operate on it
    /// until the operation is `Pending`; another report follows then. An object that stops earlier
    /// because its [`Budget`] is spent must wake itself. An object that stops because it waits for
    /// something else, such as room in a buffer, continues in the drive that the other event
    /// causes.
    ///
    /// Several reasons may be set. `reason == WakeReason::TIMER` means that the deadline has passed
    /// and nothing else has happened: act on a timeout then. `reason.contains(WakeReason::TIMER)`
    /// is also true if a socket became readable in time while the thread was held up.
    Drive(Token, WakeReason),
    /// A message that another thread sent to the [`Mailbox`].
    Mail(M),
    /// A signal registered with [`Reactor::watch_signals`] was delivered; the number is that of
    /// `signal(7)`.
    Signal(i32),
}

/// Access to [`Reactor::wake`](Wake::wake) alone. A passive object that several driven objects
/// share takes `&mut impl Wake` instead of the reactor, whose type depends on the program's mail.
/// Import the trait to call `reactor.wake(token)`.
pub trait Wake {
    /// Queues the object for a drive with [`WakeReason::WAKE`]: in this turn, or in the next one if
    /// the object was driven in this turn already. Wakes of an object that is queued are merged.
    fn wake(&mut self, token: Token);
}

impl<M> Drop for Reactor<M> {
    fn drop(&mut self) {
        self.mailbox.close();
        self.wakes.close();
    }
}

/// The event loop, with all sockets, deadlines and wakes of one program.
///
/// `M` is the type of the mail that other threads send ([`App::Mail`]).
#[derive(Debug)]
pub struct Reactor<M> {
    transport: Box<dyn Transport>,
    clock: Box<dyn Clock>,
    now: Now,
    sockets: Sockets,
    run: RunQueue,
    timers: TimerQueue,
    mailbox: Mailbox<M>,
    /// Wakes by other threads ([`Waker`]).
    wakes: Mailbox<Arc<Sleeper>>,
    signals: Option<Signals>,
    reports: Vec<TransportEvent>,
    mail: VecDeque<M>,
    load: LoopStats,
    /// Start of the last turn, if it did something and its duration is not recorded yet.
    turn_began: Option<Instant>,
    polls: u64,
    stopped: bool,
}

impl<M> Reactor<M> {
    /// Creates a reactor on the operating system's sockets and clocks.
    ///
    /// # Errors
    /// The errors of [`TcpTransport::new`].
    pub fn new() -> io::Result<Self> {
        Ok(Self::with(Box::new(TcpTransport::new()?), Box::new(SystemClock)))
    }

    /// Creates a reactor on the given network and clock.
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

    /// Runs turns until [`stop`](Self::stop) is called.
    ///
    /// # Errors
    /// The errors of [`turn`](Self::turn).
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

    /// Returns the latest time of the next turn, if no event happens before; `None` if only an
    /// event makes a turn necessary. A turn at that time may find nothing due, because the time is
    /// a lower bound of the next deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_work() { Some(self.now.mono) } else { self.next_due() }
    }

    /// Returns a descriptor that becomes readable when a turn has events to handle, for embedding
    /// the reactor in another loop; `None` on a simulated network. One turn does not handle
    /// everything: in an edge-triggered loop, turn until [`Turn::is_idle`].
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.transport.descriptor()
    }

    /// Returns the number of polls so far, which identifies the current turn.
    #[must_use]
    pub const fn polls(&self) -> u64 {
        self.polls
    }

    /// Returns the time at which the current turn began. All drives of a turn see the same time.
    #[must_use]
    pub const fn now(&self) -> Now {
        self.now
    }

    /// Returns statistics of turn durations and timer lag since the reactor was created.
    #[must_use]
    pub const fn load(&self) -> &LoopStats {
        &self.load
    }

    /// Returns a sender of mail to this reactor, for other threads.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox<M> {
        self.mailbox.clone()
    }

    /// Returns a handle with which other threads wake the object.
    #[must_use]
    pub fn waker(&self, token: Token) -> Waker {
        Waker::new(token, self.wakes.clone())
    }

    /// Delivers `signals` as [`Event::Signal`] instead of their usual effect. The signals stay
    /// blocked in this thread, and in threads that it starts from now on, until the reactor is
    /// dropped. Call this before starting any thread: a thread with another mask still takes the
    /// signal the usual way.
    ///
    /// Child processes inherit the mask, too: a program run by `std::process::Command` after this
    /// call does not react to these signals unless it unblocks them.
    ///
    /// # Errors
    /// Fails if a number is not that of a signal, if called a second time, or on a simulated
    /// network.
    pub fn watch_signals(&mut self, signals: &[i32]) -> io::Result<()> {
        if self.signals.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let signals = Signals::new(signals)?;
        self.transport.watch(signals.descriptor())?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Sets the latest time of the object's next drive; `None` removes it. The new time replaces
    /// the one set before, and is removed when it causes a drive ([`WakeReason::TIMER`]). Moving a
    /// deadline later costs next to nothing.
    ///
    /// A turn collects every deadline that is due. Drives for which the turn has no time left
    /// follow in the next turns.
    pub fn set_deadline(&mut self, token: Token, deadline: Option<Instant>) {
        self.timers.set(token, deadline);
    }

    /// Returns the number of wakes for objects whose place in the arena was reused in the meantime.
    /// Such wakes are dropped.
    #[must_use]
    pub const fn stale_wakes(&self) -> u64 {
        self.run.stale()
    }
}

impl<M> Wake for Reactor<M> {
    fn wake(&mut self, token: Token) {
        self.run.wake(token, WakeReason::WAKE);
    }
}
