//! Wakes of objects, on the reactor's own thread and by other threads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::arena::Token;
use super::mailbox::Mailbox;

/// Access to [`Reactor::wake`](Wake::wake) alone. A passive object that several driven objects
/// share takes `&mut impl Wake` instead of the reactor, whose type depends on the program's mail.
/// Import the trait to call `reactor.wake(token)`.
pub trait Wake {
    /// Queues the object for a drive with [`WakeReason::WAKE`](super::WakeReason::WAKE): in this
    /// turn, or in the next one if the object was driven in this turn already. Wakes of an object
    /// that is queued are merged.
    fn wake(&mut self, token: Token);
}

/// Handle that wakes one object of a reactor from any thread; see
/// [`Reactor::waker`](super::Reactor::waker).
#[derive(Clone)]
pub struct Waker {
    sleeper: Arc<Sleeper>,
    mailbox: Mailbox<Arc<Sleeper>>,
}

/// An object that other threads wake.
#[derive(Debug)]
pub(super) struct Sleeper {
    token: Token,
    /// True from a wake until the reactor takes it, so that at most one wake of the object is
    /// queued.
    woken: AtomicBool,
}

impl Waker {
    pub(super) fn new(token: Token, mailbox: Mailbox<Arc<Sleeper>>) -> Self {
        Self { sleeper: Arc::new(Sleeper { token, woken: AtomicBool::new(false) }), mailbox }
    }

    /// Queues the object for a drive, and ends the poll of its reactor if it is waiting. Does
    /// nothing if the reactor is gone.
    ///
    /// Blocks while 65,536 wakes of other objects are queued, so do not call this on the reactor's
    /// own thread. A wake carries no data: store what the object has to find before waking it.
    pub fn wake(&self) {
        if !self.sleeper.woken.swap(true, Ordering::AcqRel) {
            let _ = self.mailbox.send_when_room(Arc::clone(&self.sleeper));
        }
    }
}

impl Sleeper {
    /// Takes the wake; the next [`wake`](Waker::wake) queues the object again.
    pub(super) fn take(&self) -> Token {
        self.woken.store(false, Ordering::Release);
        self.token
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waker").field(&self.sleeper.token).finish()
    }
}
