//! Events that a reactor passes to its program.

use super::arena::Token;
use super::run_queue::WakeReason;

/// An event of a turn, passed to [`App::handle`](super::App::handle).
#[derive(Debug)]
pub enum Event<M> {
    /// The object named by the token must be driven; nothing needs to be done if it no longer
    /// exists.
    ///
    /// A socket that became ready is reported once, not for as long as it is ready. Operate on it
    /// until the operation is `Pending`; another report follows then. An object that stops earlier
    /// because its [`Budget`](super::Budget) is spent must wake itself. An object that stops
    /// because it waits for something else, such as room in a buffer, continues in the drive that
    /// the other event causes.
    ///
    /// Several reasons may be set. `reason == WakeReason::TIMER` means that the deadline has passed
    /// and nothing else has happened: act on a timeout then. `reason.contains(WakeReason::TIMER)`
    /// is also true if a socket became readable in time while the thread was held up.
    Drive(Token, WakeReason),
    /// A message that another thread sent to the [`Mailbox`](super::Mailbox).
    Mail(M),
    /// A signal registered with [`Reactor::watch_signals`](super::Reactor::watch_signals) was
    /// delivered; the number is that of `signal(7)`.
    Signal(i32),
}

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
