//! Wakes of objects by other threads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::arena::Token;
use super::mailbox::Mailbox;

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
