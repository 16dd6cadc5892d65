//! What takes long and needs a processor, done on a few threads beside the loop.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::mailbox::Mailbox;

/// Jobs on up to a few threads, started when they are needed, in the order in which they came. The
/// result of each is sent as mail.
///
/// How many may wait is for the caller to bound, who knows which are under way.
pub struct Background<M>(Arc<Shared<M>>);

type Job<M> = Box<dyn FnOnce() -> Option<M> + Send>;

struct Shared<M> {
    queue: Mutex<Queue<M>>,
    more: Condvar,
    mailbox: Mailbox<M>,
    max_threads: usize,
}

struct Queue<M> {
    waiting: VecDeque<Job<M>>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl<M: Send + 'static> Background<M> {
    /// Works on `max_threads` jobs at a time; no thread is started yet.
    #[must_use]
    pub fn new(max_threads: usize, mailbox: Mailbox<M>) -> Self {
        let queue = Queue { waiting: VecDeque::new(), threads: 0, idle: 0, closed: false };
        let max_threads = max_threads.max(1);
        Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            more: Condvar::new(),
            mailbox,
            max_threads,
        }))
    }

    /// Has `job` done.
    ///
    /// # Errors
    /// If no thread can be started and none is there. The job is dropped then.
    pub fn run(&self, job: impl FnOnce() -> M + Send + 'static) -> io::Result<()> {
        self.push(Box::new(move || Some(job())))
    }

    /// Drops `value` on a thread, which may take as long as it likes; on this one, if none can be
    /// started and none is there.
    pub fn discard(&self, value: impl Send + 'static) {
        let discarded = self.push(Box::new(move || {
            drop(value);
            None
        }));
        let _ = discarded; // without a thread, the job was dropped with the value
    }

    fn push(&self, job: Job<M>) -> io::Result<()> {
        let mut queue = self.0.lock();
        queue.waiting.push_back(job);
        if queue.waiting.len() > queue.idle && queue.threads < self.0.max_threads {
            let shared = Arc::clone(&self.0);
            let started = thread::Builder::new().name("background".into());
            match started.spawn(move || shared.work()) {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    queue.waiting.pop_back();
                    return Err(error);
                }
                Err(_) => {} // the others will come to it
            }
        }
        self.0.more.notify_one();
        Ok(())
    }
}

impl<M> Shared<M> {
    fn work(&self) {
        while let Some(job) = self.next() {
            if job().is_some_and(|mail| self.mailbox.send_when_room(mail).is_err()) {
                return; // the reactor is gone
            }
        }
    }

    fn next(&self) -> Option<Job<M>> {
        let mut queue = self.lock();
        while !queue.closed {
            if let Some(job) = queue.waiting.pop_front() {
                return Some(job);
            }
            queue.idle += 1;
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Drop for Background<M> {
    /// Lets the threads end once they have finished what they are at.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.more.notify_all();
    }
}

impl<M> fmt::Debug for Background<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.0.lock();
        f.debug_struct("Background")
            .field("waiting", &queue.waiting.len())
            .field("threads", &queue.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{App, Event, Reactor};

    #[derive(Default)]
    struct Sum(u64);

    impl App for Sum {
        type Mail = u64;

        fn handle(&mut self, _: &mut Reactor<u64>, event: Event<u64>) {
            if let Event::Mail(number) = event {
                self.0 += number;
            }
        }
    }

    #[test]
    fn what_comes_of_every_job_is_sent() {
        let mut reactor = Reactor::new().unwrap();
        let background = Background::new(2, reactor.mailbox());
        (1..=100).for_each(|number| background.run(move || number).unwrap());
        let mut sum = Sum::default();
        while sum.0 < 5050 {
            reactor.turn(&mut sum, None).unwrap();
        }
        assert_eq!(background.0.lock().waiting.len(), 0);
        assert!(background.0.lock().threads <= 2);
    }
}
