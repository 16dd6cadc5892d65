//! Looking names up with the system's resolver, which blocks, on a few threads beside the loop.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::reactor::mailbox::Mailbox;
use crate::shares::may_take;
use crate::work::count;

/// Names that wait for a thread at the most. Who came behind so many would have given up before.
const WAITING: usize = 1024;
/// How many threads there may be for each one asked for, with those that are left at questions
/// nobody wants the answers of: `getaddrinfo(3)` cannot be told to stop.
const LEFT_BEHIND: usize = 8;

/// `getaddrinfo(3)` on up to a few threads, started when they are needed. Honours whatever the
/// system is set up to ask. Answers come as mail.
///
/// Names that take long hold up others only for as long as a client waits for them: see
/// [`forget`](Self::forget). Those of one client leave threads to others, by the rule of
/// [`Shares`](crate::shares::Shares).
#[derive(Debug)]
pub struct SystemResolver<M>(Arc<Shared<M>>);

/// What makes the mail that brings an answer.
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
    /// Names that no thread is at yet.
    waiting: VecDeque<Waiting>,
    /// Names that threads are at.
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
    /// A resolver that works on `max_threads` questions at a time; no thread is started yet. Its
    /// answers are sent to `mailbox`, as the mail that `wrap` makes of them.
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

    /// Asks for the addresses of `name`. If that is being asked already, one answer is for both. A
    /// thread that is free takes the name that came first, of those whose `client` has fewer threads
    /// than are free; names of no client may have all of them.
    ///
    /// # Errors
    /// If no thread can be started and none is there, or [`io::ErrorKind::ResourceBusy`] if 1,024
    /// names wait already. No answer comes then.
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
        Ok(()) // if none was started, the others will come to it
    }

    /// Says that nobody waits for the addresses of `name` any more. If no thread is at it yet, none
    /// will be. One that is cannot be stopped, and the answer comes all the same; but another may
    /// be started in its place, so that the names behind it do not wait for it. Whether none was at
    /// it, so that no answer comes.
    pub fn forget(&self, name: &str) -> bool {
        let mut queue = self.0.lock();
        let waited = queue.waiting.len();
        queue.waiting.retain(|waiting| waiting.name != name);
        if let Some(question) = queue.begun.iter_mut().find(|question| question.name == name) {
            question.withdrawn = true;
        }
        self.0.more.notify_one(); // its client may have another thread now
        let _ = self.start_thread(&mut queue); // if that fails, the others will come to them
        queue.waiting.len() < waited
    }

    /// Starts a thread if there is something for it to do.
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
    /// Lets the threads end once they have finished what they are at.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.more.notify_all();
    }
}

impl Queue {
    /// Whether `name` is being asked already; somebody waits for it again, then.
    fn is_asked_again(&mut self, name: &str) -> bool {
        if let Some(question) = self.begun.iter_mut().find(|question| question.name == name) {
            question.withdrawn = false;
            return true;
        }
        count(self.waiting.len());
        self.waiting.iter().any(|waiting| waiting.name == name)
    }

    /// Threads that are not left at a question which was withdrawn.
    fn threads_of_use(&self) -> usize {
        self.threads - self.begun.iter().filter(|question| question.withdrawn).count()
    }

    fn wants_thread(&self) -> bool {
        self.waiting.len() > self.idle
            && self.next().is_some()
            && self.threads_of_use() < self.max_threads
            && self.threads < self.max_threads.saturating_mul(LEFT_BEHIND)
    }

    /// Returns the place of the name that is to be begun next: the one that was waiting for longest, of
    /// those whose client may have another thread, and may leave another one behind.
    fn next(&self) -> Option<usize> {
        let at_work = Taken::by(self.begun.iter().filter(|question| !question.withdrawn));
        let all = Taken::by(&self.begun);
        let most = self.max_threads.saturating_mul(LEFT_BEHIND);
        self.waiting.iter().position(|waiting| {
            at_work.leaves(self.max_threads, waiting.client) && all.leaves(most, waiting.client)
        })
    }

    /// The next name is begun.
    fn begin(&mut self) -> Option<String> {
        let Waiting { name, client } = self.waiting.remove(self.next()?)?;
        self.begun.push(PendingName { name: name.clone(), client, withdrawn: false });
        Some(name)
    }

    fn end(&mut self, name: &str) {
        self.begun.retain(|question| question.name != name);
    }
}

/// Threads that are at questions, by client.
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

    /// Returns true if one of `threads` is left for `client`.
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

/// A thread, which is counted until it ends, however it does.
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
            // Before the answer is sent: whoever asks again after that needs another.
            self.shared.lock().end(&name);
            if mailbox.send_when_room(wrap(name, addresses)).is_err() {
                return; // the reactor is gone
            }
        }
    }

    /// The next name to look up; none if this thread is needed no more.
    fn next(&mut self) -> Option<String> {
        let mut queue = self.shared.lock();
        if queue.threads_of_use() > queue.max_threads {
            // Counted out in the same moment, or another would find one too many as well.
            queue.threads -= 1;
            self.counted = false;
            self.shared.more.notify_one(); // a name may wait for the end of what this one was at
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
