//! Threads for jobs that need much processor time, beside the loop.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::mailbox::Mailbox;

/// Jobs run on a bounded number of threads; the result of each is sent to a reactor as mail.
///
/// Jobs start in the order of their ranks, lowest first, and within a rank in the order in which
/// they were queued. Threads are started as needed. The queue has no limit: the caller knows which
/// jobs are waiting, and has to limit them. Dropping the pool drops the jobs that have not started.
pub struct ThreadPool<M>(Arc<Shared<M>>);

type Job<M> = Box<dyn FnOnce() -> Option<M> + Send>;

struct Shared<M> {
    queue: Mutex<Queue<M>>,
    more: Condvar,
    mailbox: Mailbox<M>,
    max_threads: usize,
}

struct Queue<M> {
    /// Jobs by rank and sequence number.
    waiting: BTreeMap<(usize, u64), Job<M>>,
    /// Jobs queued so far.
    came: u64,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl<M: Send + 'static> ThreadPool<M> {
    /// Creates a pool that runs up to `max_threads` jobs at a time, at least one. No thread is
    /// started yet.
    #[must_use]
    pub fn new(max_threads: usize, mailbox: Mailbox<M>) -> Self {
        let queue = Queue { waiting: BTreeMap::new(), came: 0, threads: 0, idle: 0, closed: false };
        let max_threads = max_threads.max(1);
        Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            more: Condvar::new(),
            mailbox,
            max_threads,
        }))
    }

    /// Runs `job` with rank 0, before all waiting jobs of a higher rank, and sends its result.
    ///
    /// # Errors
    /// Fails if no thread can be started and none is running; the job is dropped.
    pub fn run(&self, job: impl FnOnce() -> M + Send + 'static) -> io::Result<()> {
        self.run_behind(0, job)
    }

    /// Runs `job` behind all waiting jobs of the same or a lower rank, and sends its result.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_behind(
        &self,
        rank: usize,
        job: impl FnOnce() -> M + Send + 'static,
    ) -> io::Result<()> {
        self.push(rank, Box::new(move || Some(job())))
    }

    /// Drops `value` on a thread, because that may take long. Drops it on the current thread if
    /// none can be started and none is running.
    pub fn discard(&self, value: impl Send + 'static) {
        let discard = Box::new(move || {
            drop(value);
            None
        });
        let discarded = self.push(0, discard);
        let _ = discarded; // without a thread, the value was dropped with the job
    }

    fn push(&self, rank: usize, job: Job<M>) -> io::Result<()> {
        let mut queue = self.0.lock();
        let place = (rank, queue.came);
        queue.came += 1;
        queue.waiting.insert(place, job);
        if queue.waiting.len() > queue.idle && queue.threads < self.0.max_threads {
            let shared = Arc::clone(&self.0);
            let started = thread::Builder::new().name("background".into());
            match started.spawn(move || shared.work()) {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    queue.waiting.remove(&place);
                    return Err(error);
                }
                Err(_) => {} // another thread will take it
            }
        }
        self.0.more.notify_one();
        Ok(())
    }
}

impl<M> Shared<M> {
    fn work(&self) {
        while let Some(job) = self.next() {
            // A job that panics has no result. Its thread takes the next one.
            let done = catch_unwind(AssertUnwindSafe(job)).ok().flatten();
            if done.is_some_and(|mail| self.mailbox.send_when_room(mail).is_err()) {
                return; // the reactor is gone
            }
        }
    }

    fn next(&self) -> Option<Job<M>> {
        let mut queue = self.lock();
        while !queue.closed {
            if let Some((_, job)) = queue.waiting.pop_first() {
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

impl<M> Drop for ThreadPool<M> {
    /// Ends each thread after the job that it is running.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.more.notify_all();
    }
}

impl<M> fmt::Debug for ThreadPool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.0.lock();
        f.debug_struct("ThreadPool")
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
    fn result_of_every_job_is_sent() {
        let mut reactor = Reactor::new().unwrap();
        let background = ThreadPool::new(2, reactor.mailbox());
        (1..=100).for_each(|number| background.run(move || number).unwrap());
        let mut sum = Sum::default();
        while sum.0 < 5050 {
            reactor.turn(&mut sum, None).unwrap();
        }
        assert_eq!(background.0.lock().waiting.len(), 0);
        assert!(background.0.lock().threads <= 2);
    }

    #[derive(Default)]
    struct Order(Vec<u64>);

    impl App for Order {
        type Mail = u64;

        fn handle(&mut self, _: &mut Reactor<u64>, event: Event<u64>) {
            if let Event::Mail(number) = event {
                self.0.push(number);
            }
        }
    }

    #[test]
    fn jobs_run_in_the_order_of_their_ranks() {
        let mut reactor = Reactor::new().unwrap();
        let background = ThreadPool::new(1, reactor.mailbox());
        let (go_on, paused) = std::sync::mpsc::channel::<()>();
        // The only thread is busy until all other jobs are queued.
        let busy = move || paused.recv().map_or(0, |()| 0);
        background.run(busy).unwrap();
        for (rank, number) in [(2, 6), (1, 4), (0, 1), (1, 5), (0, 2)] {
            background.run_behind(rank, move || number).unwrap();
        }
        background.run(|| 3).unwrap();
        go_on.send(()).unwrap();
        let mut order = Order::default();
        while order.0.len() < 7 {
            reactor.turn(&mut order, None).unwrap();
        }
        assert_eq!(order.0, [0, 1, 2, 3, 4, 5, 6]);
    }
}
