//! Values that other threads send to a reactor.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Messages that may wait. A loop that is so far behind will not catch up.
const CAPACITY: usize = 1 << 16;

/// The sending side of a reactor's mail, for any thread. Clones send to the same reactor.
pub struct Mailbox<M>(Arc<Shared<M>>);

struct Shared<M> {
    /// `None` once the reactor is gone.
    queue: Mutex<Option<VecDeque<M>>>,
    /// True if the queue holds anything; read without the lock.
    waiting: AtomicBool,
    /// Signalled when a full queue has room again, or is closed.
    room: Condvar,
    waker: Option<Arc<mio::Waker>>,
}

impl<M> Mailbox<M> {
    pub(super) fn new(waker: Option<Arc<mio::Waker>>) -> Self {
        let queue = Mutex::new(Some(VecDeque::new()));
        let waiting = AtomicBool::new(false);
        Self(Arc::new(Shared { queue, waiting, room: Condvar::new(), waker }))
    }

    /// Queues `mail` for the reactor's next turn, and ends its poll if it is waiting. One turn
    /// handles at most 256 messages.
    ///
    /// # Errors
    /// Returns `mail` if the reactor is gone, or if 65,536 messages wait already.
    pub fn send(&self, mail: M) -> Result<(), M> {
        match self.lock().as_mut().filter(|queue| queue.len() < CAPACITY) {
            Some(queue) => queue.push_back(mail),
            None => return Err(mail),
        }
        self.announce();
        Ok(())
    }

    /// Queues `mail` as [`send`](Self::send) does, but waits while the queue is full. Never call
    /// this on the reactor's own thread: it would wait for itself.
    ///
    /// # Errors
    /// Returns `mail` if the reactor is gone.
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

    /// Wakes the reactor, unless it was woken for earlier mail that it has not taken yet.
    fn announce(&self) {
        if !self.0.waiting.swap(true, Ordering::AcqRel)
            && let Some(waker) = &self.0.waker
        {
            // Fails only for want of kernel memory; the next turn finds the mail anyway.
            let _ = waker.wake();
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Acquire)
    }

    /// Moves the oldest messages, at most `most`, to `into`. Only the reactor calls this; `into` is
    /// empty and contributes its capacity.
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

    /// Rejects further mail, because the reactor is gone.
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
