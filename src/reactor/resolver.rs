//! Looking names up with the system's resolver, which blocks, on a few threads beside the loop.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::mailbox::Mailbox;

/// `getaddrinfo(3)` on up to a few threads, started when they are needed. Honours whatever the
/// system is set up to ask. Answers come as mail; a question cannot be taken back.
#[derive(Debug)]
pub struct SystemResolver {
    shared: Arc<Shared>,
    max_threads: usize,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    names: VecDeque<String>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl SystemResolver {
    /// A resolver of at most `max_threads` threads; none is started yet.
    #[must_use]
    pub fn new(max_threads: usize) -> Self {
        Self { shared: Arc::default(), max_threads: max_threads.max(1) }
    }

    /// Asks for the addresses of `name`; `wrap` makes the mail that brings them.
    ///
    /// # Errors
    /// If no thread can be started and none is there.
    pub fn ask<M: Send + 'static>(
        &self,
        name: &str,
        mailbox: &Mailbox<M>,
        wrap: fn(String, io::Result<Vec<IpAddr>>) -> M,
    ) -> io::Result<()> {
        let mut queue = self.shared.lock();
        queue.names.push_back(name.to_owned());
        self.shared.more.notify_one();
        if queue.names.len() <= queue.idle || queue.threads >= self.max_threads {
            return Ok(());
        }
        let (shared, mailbox) = (Arc::clone(&self.shared), mailbox.clone());
        let thread = thread::Builder::new().name("resolver".into());
        match thread.spawn(move || shared.work(&mailbox, wrap)) {
            Ok(_) => queue.threads += 1,
            Err(_) if queue.threads > 0 => {} // the others will come to it
            Err(error) => {
                queue.names.pop_back();
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for SystemResolver {
    /// Lets the threads end once they have finished what they are at.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.more.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work<M>(&self, mailbox: &Mailbox<M>, wrap: fn(String, io::Result<Vec<IpAddr>>) -> M) {
        while let Some(name) = self.next() {
            let addresses = (name.as_str(), 0).to_socket_addrs();
            let addresses = addresses.map(|list| list.map(|address| address.ip()).collect());
            if mailbox.send(wrap(name, addresses)).is_err() {
                return; // nobody wants to know
            }
        }
    }

    fn next(&self) -> Option<String> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(name) = queue.names.pop_front() {
                return Some(name);
            }
            queue.idle += 1;
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}
