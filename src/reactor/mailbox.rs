//! Values handed to a reactor by other threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How much mail waits at the most. A loop that is behind by so much will not catch up.
const CAPACITY: usize = 1 << 16;

/// The sending side; clones send to the same reactor.
pub struct Mailbox<M>(Arc<Shared<M>>);

struct Shared<M> {
    /// `None` once the reactor is gone.
    queue: Mutex<Option<VecDeque<M>>>,
    /// Whether the queue holds anything, to be asked without the lock.
    waiting: AtomicBool,
    /// Told when a queue that was full is so no more.
    room: Condvar,
    waker: Option<Arc<mio::Waker>>,
}

impl<M> Mailbox<M> {
    pub(super) fn new(waker: Option<Arc<mio::Waker>>) -> Self {
        let queue = Mutex::new(Some(VecDeque::new()));
        let waiting = AtomicBool::new(false);
        Self(Arc::new(Shared { queue, waiting, room: Condvar::new(), waker }))
    }

    /// Queues `mail` for the reactor's next turn, and ends its poll if it is in one. A turn handles
    /// 256 at most.
    ///
    /// # Errors
    /// Gives `mail` back if the reactor is gone, or if 65,536 others wait already.
    pub fn send(&self, mail: M) -> Result<(), M> {
        match self.lock().as_mut().filter(|queue| queue.len() < CAPACITY) {
            Some(queue) => queue.push_back(mail),
            None => return Err(mail),
        }
        self.announce();
        Ok(())
    }

    /// As [`send`](Self::send), but waits for room. For other threads only: in the reactor's own it
    /// would wait for ever.
    ///
    /// # Errors
    /// Gives `mail` back if the reactor is gone.
    pub fn send_when_room(&self, mail: M) -> Result<(), M> {
        let is_full = |queue: &mut Option<VecDeque<M>>| {
            queue.as_ref().is_some_and(|queue| queue.len() >= CAPACITY)
        };
        let waited = self.0.room.wait_while(self.lock(), is_full);
        match waited.unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(queue) => queue.push_back(mail),
            None => return Err(mail),
        }
        self.announce();
        Ok(())
    }

    /// Says that there is mail, unless that was said and nobody has come for it.
    fn announce(&self) {
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

    /// Takes what has come first, at most `most`. The reactor's own; `into` is empty and lends its
    /// capacity.
    pub(super) fn take(&self, into: &mut VecDeque<M>, most: usize) {
        if let Some(queue) = self.lock().as_mut() {
            if queue.len() >= CAPACITY {
                self.0.room.notify_all();
            }
            if queue.len() <= most {
                std::mem::swap(queue, into);
            } else {
                into.extend(queue.drain(..most));
            }
            self.0.waiting.store(!queue.is_empty(), Ordering::Release);
        }
    }

    /// Nobody will take any more.
    pub(super) fn close(&self) {
        *self.lock() = None;
        self.0.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<M>>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
