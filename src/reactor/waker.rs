//! Wakes of objects by other threads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::arena::Token;
use super::mailbox::Mailbox;

/// Wakes one object of a reactor, from any thread; see [`Reactor::waker`](super::Reactor::waker).
#[derive(Clone)]
pub struct Waker {
    sleeper: Arc<Sleeper>,
    mailbox: Mailbox<Arc<Sleeper>>,
}

/// An object that is woken by other threads.
#[derive(Debug)]
pub(super) struct Sleeper {
    token: Token,
    /// True from a wake until the reactor has taken it: at most one of them is under way.
    woken: AtomicBool,
}

impl Waker {
    pub(super) fn new(token: Token, mailbox: Mailbox<Arc<Sleeper>>) -> Self {
        Self { sleeper: Arc::new(Sleeper { token, woken: AtomicBool::new(false) }), mailbox }
    }

    /// Has the object driven soon, and ends the poll of its reactor if that is in one. Does nothing
    /// if the reactor is gone.
    ///
    /// A wake carries no data: what the object is to find was put there before.
    pub fn wake(&self) {
        if !self.sleeper.woken.swap(true, Ordering::AcqRel) {
            let _ = self.mailbox.send_when_room(Arc::clone(&self.sleeper));
        }
    }
}

impl Sleeper {
    /// Takes the wake: from now on, another is a new one.
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
