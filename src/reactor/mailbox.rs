//! Values handed to a reactor by other threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The sending side; clones send to the same reactor. What is sent after the reactor is gone is
/// dropped with the mailbox.
pub struct Mailbox<M>(Arc<Shared<M>>);

struct Shared<M> {
    queue: Mutex<VecDeque<M>>,
    /// Whether the queue holds anything, to be asked without the lock.
    waiting: AtomicBool,
    waker: Option<Arc<mio::Waker>>,
}

impl<M> Mailbox<M> {
    pub(super) fn new(waker: Option<Arc<mio::Waker>>) -> Self {
        let queue = Mutex::new(VecDeque::new());
        Self(Arc::new(Shared { queue, waiting: AtomicBool::new(false), waker }))
    }

    /// Queues `mail` for the reactor's next turn, and ends its poll if it is in one.
    pub fn send(&self, mail: M) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(mail);
        if !self.0.waiting.swap(true, Ordering::AcqRel)
            && let Some(waker) = &self.0.waker
        {
            // It can only fail for want of kernel memory; the next turn finds the mail anyway.
            let _ = waker.wake();
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Acquire)
    }

    /// Takes all that has come. The reactor's own; `into` is empty and keeps its capacity.
    pub(super) fn take(&self, into: &mut VecDeque<M>) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.waiting.store(false, Ordering::Release);
        std::mem::swap(&mut *queue, into);
    }
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("waiting", &self.is_waiting()).finish_non_exhaustive()
    }
}
