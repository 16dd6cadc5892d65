//! Name resolution by the system's resolver, which blocks, on a few threads beside the loop.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::reactor::mailbox::Mailbox;
use crate::shares::may_take;
use crate::work::count;

/// Limit of names that wait for a thread. The client of a name behind so many would have timed out.
const WAITING: usize = 1024;
/// Limit of threads, as a multiple of `max_threads`, that includes threads with calls whose result
/// is no longer wanted: `getaddrinfo(3)` cannot be cancelled.
const LEFT_BEHIND: usize = 8;

/// Name resolution by `getaddrinfo(3)`, on a bounded number of threads that are started as needed.
/// The system's configuration (`nsswitch.conf(5)`) applies. Answers are sent to the reactor as
/// mail.
///
/// A slow name delays others only while a client waits for it: see [`forget`](Self::forget). The
/// names of one client leave threads to other clients, by the rule of
/// [`Shares`](crate::shares::Shares).
#[derive(Debug)]
pub struct SystemResolver<M>(Arc<Shared<M>>);

/// Makes the mail that carries an answer.
type Wrap<M> = fn(String, io::Result<Vec<IpAddr>>) -> M;
type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

struct Shared<M> {
    queue: Mutex<Queue>,
    more: Condvar,
    mailbox: Mailbox<M>,
    wrap: Wrap<M>,
    look_up: Box<LookUp>,
}

#[derive(Debug)]
struct Queue {
    max_threads: usize,
    /// Names that no thread has begun.
    waiting: VecDeque<Waiting>,
    /// Names with a call in progress.
    begun: Vec<PendingName>,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    name: String,
    client: Option<IpAddr>,
}

#[derive(Debug)]
struct PendingName {
    name: String,
    client: Option<IpAddr>,
    withdrawn: bool,
}

impl<M: Send + 'static> SystemResolver<M> {
    /// Creates a resolver that makes up to `max_threads` calls at a time, at least one. No thread
    /// is started yet. Answers are sent to `mailbox`, as the mail that `wrap` makes of them.
    #[must_use]
    pub fn new(
        max_threads: usize,
        mailbox: Mailbox<M>,
        wrap: fn(String, io::Result<Vec<IpAddr>>) -> M,
    ) -> Self {
        Self::with(max_threads, mailbox, wrap, Box::new(ask_system))
    }

    fn with(max_threads: usize, mailbox: Mailbox<M>, wrap: Wrap<M>, look_up: Box<LookUp>) -> Self {
        let queue = Mutex::new(Queue {
            max_threads: max_threads.max(1),
            waiting: VecDeque::new(),
            begun: Vec::new(),
            threads: 0,
            idle: 0,
            closed: false,
        });
        Self(Arc::new(Shared { queue, more: Condvar::new(), mailbox, wrap, look_up }))
    }

    /// Requests the addresses of `name`; a second request for a name shares the answer of the
    /// first.
    ///
    /// A free thread takes the oldest name of those whose `client` has fewer threads than are free.
    /// Names without a client may take all threads.
    ///
    /// # Errors
    /// Fails if no thread can be started and none is running, or with
    /// [`io::ErrorKind::ResourceBusy`] if 1,024 names are waiting. No answer is sent then.
    pub fn ask(&self, name: &str, client: Option<IpAddr>) -> io::Result<()> {
        let mut queue = self.0.lock();
        if queue.is_asked_again(name) {
            return Ok(());
        }
        if queue.waiting.len() >= WAITING {
            let busy = "too many names are waiting to be looked up";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, busy));
        }
        queue.waiting.push_back(Waiting { name: name.to_owned(), client });
        self.0.more.notify_one();
        let started = self.start_thread(&mut queue);
        if started.is_err() && queue.threads == 0 {
            queue.waiting.pop_back();
            return started;
        }
        Ok(()) // if none was started, another thread will take it
    }

    /// Withdraws the request for `name`. Returns true if no thread had begun it, so that no answer
    /// will be sent.
    ///
    /// A call in progress cannot be cancelled, and its answer is still sent. But another thread may
    /// be started in its place, so that other names do not wait for it.
    pub fn forget(&self, name: &str) -> bool {
        let mut queue = self.0.lock();
        let waited = queue.waiting.len();
        queue.waiting.retain(|waiting| waiting.name != name);
        if let Some(question) = queue.begun.iter_mut().find(|question| question.name == name) {
            question.withdrawn = true;
        }
        self.0.more.notify_one(); // its client may take another thread now
        let _ = self.start_thread(&mut queue); // if that fails, other threads will take the names
        queue.waiting.len() < waited
    }

    /// Starts a thread if there is a name for it.
    fn start_thread(&self, queue: &mut Queue) -> io::Result<()> {
        if queue.wants_thread() {
            let shared = Arc::clone(&self.0);
            thread::Builder::new()
                .name("resolver".into())
                .spawn(move || Thread::new(shared).work())?;
            queue.threads += 1;
        }
        Ok(())
    }
}

impl<M> Drop for SystemResolver<M> {
    /// Ends each thread after the call that it is making.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.more.notify_all();
    }
}

impl Queue {
    /// Returns true if `name` is requested already. A withdrawn request becomes a wanted one again.
    fn is_asked_again(&mut self, name: &str) -> bool {
        if let Some(question) = self.begun.iter_mut().find(|question| question.name == name) {
            question.withdrawn = false;
            return true;
        }
        count(self.waiting.len());
        self.waiting.iter().any(|waiting| waiting.name == name)
    }

    /// Returns the number of threads without those whose call was withdrawn.
    fn threads_of_use(&self) -> usize {
        self.threads - self.begun.iter().filter(|question| question.withdrawn).count()
    }

    fn wants_thread(&self) -> bool {
        self.waiting.len() > self.idle
            && self.next().is_some()
            && self.threads_of_use() < self.max_threads
            && self.threads < self.max_threads.saturating_mul(LEFT_BEHIND)
    }

    /// Returns the position of the next name to begin: the oldest one whose client may take another
    /// thread, and may leave another thread behind.
    fn next(&self) -> Option<usize> {
        let at_work = Taken::by(self.begun.iter().filter(|question| !question.withdrawn));
        let all = Taken::by(&self.begun);
        let most = self.max_threads.saturating_mul(LEFT_BEHIND);
        self.waiting.iter().position(|waiting| {
            at_work.leaves(self.max_threads, waiting.client) && all.leaves(most, waiting.client)
        })
    }

    /// Begins the next name and returns it.
    fn begin(&mut self) -> Option<String> {
        let Waiting { name, client } = self.waiting.remove(self.next()?)?;
        self.begun.push(PendingName { name: name.clone(), client, withdrawn: false });
        Some(name)
    }

    fn end(&mut self, name: &str) {
        self.begun.retain(|question| question.name != name);
    }
}

/// Threads with calls in progress, in total and by client.
struct Taken {
    total: usize,
    held: BTreeMap<IpAddr, usize>,
}

impl Taken {
    fn by<'a>(questions: impl IntoIterator<Item = &'a PendingName>) -> Self {
        let mut taken = Self { total: 0, held: BTreeMap::new() };
        for question in questions {
            taken.total += 1;
            if let Some(client) = question.client {
                *taken.held.entry(client).or_default() += 1;
            }
        }
        taken
    }

    /// Returns true if `client` may take one of `threads`.
    fn leaves(&self, threads: usize, client: Option<IpAddr>) -> bool {
        let held = client.and_then(|client| self.held.get(&client)).copied().unwrap_or(0);
        may_take(held, threads.saturating_sub(self.total))
    }
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread, counted until it ends for whatever reason.
struct Thread<M> {
    shared: Arc<Shared<M>>,
    counted: bool,
}

impl<M> Thread<M> {
    const fn new(shared: Arc<Shared<M>>) -> Self {
        Self { shared, counted: true }
    }

    fn work(&mut self) {
        while let Some(name) = self.next() {
            let Shared { mailbox, wrap, look_up, .. } = &*self.shared;
            let addresses = look_up(&name);
            // Before the answer is sent, because a request after that needs another answer.
            self.shared.lock().end(&name);
            if mailbox.send_when_room(wrap(name, addresses)).is_err() {
                return; // the reactor is gone
            }
        }
    }

    /// Waits for the next name. Returns `None` if this thread is not needed any more.
    fn next(&mut self) -> Option<String> {
        let mut queue = self.shared.lock();
        if queue.threads_of_use() > queue.max_threads {
            // Subtracted under the same lock, or another thread would also find one too many.
            queue.threads -= 1;
            self.counted = false;
            self.shared.more.notify_one(); // a name may wait for the end of this thread's call
            return None;
        }
        while !queue.closed {
            if let Some(name) = queue.begin() {
                return Some(name);
            }
            queue.idle += 1;
            queue = self.shared.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
        None
    }
}

impl<M> Drop for Thread<M> {
    fn drop(&mut self) {
        if self.counted {
            self.shared.lock().threads -= 1;
        }
    }
}

impl<M> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("queue", &self.queue).finish_non_exhaustive()
    }
}

fn ask_system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests;
