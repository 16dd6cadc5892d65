//! What a proxy needs from outside, and what it is told from there.

use std::any::Any;
use std::net::IpAddr;

use crate::auth::VerifyJob;
use crate::proxy::observe::access_log::LogSink;
use crate::reactor::{Mailbox, SystemResolver, ThreadPool};

use super::mail::Mail;

/// Looks names up, without blocking; answers come as [`Mail::Resolved`].
pub trait NameResolver: std::fmt::Debug {
    /// Asks for the addresses of `name`, on behalf of `client` if its questions are bounded.
    fn ask(&mut self, name: &str, client: Option<IpAddr>);

    /// Takes a question back, as nobody wants to know any more. Whether that could be done: then
    /// no answer comes.
    fn forget(&mut self, name: &str) -> bool {
        let _ = name;
        false
    }
}

/// The system's resolver, on threads.
#[derive(Debug)]
pub struct ThreadedResolver {
    threads: SystemResolver<Mail>,
    mailbox: Mailbox<Mail>,
}

impl ThreadedResolver {
    /// At most `threads` look-ups at a time, answered through `mailbox`.
    #[must_use]
    pub fn new(threads: usize, mailbox: Mailbox<Mail>) -> Self {
        Self { threads: SystemResolver::new(threads, mailbox.clone(), Mail::Resolved), mailbox }
    }
}

impl NameResolver for ThreadedResolver {
    fn ask(&mut self, name: &str, client: Option<IpAddr>) {
        if let Err(error) = self.threads.ask(name, client) {
            // If that is full, the look-up ends by its deadline.
            let _ = self.mailbox.send(Mail::Resolved(name.to_owned(), Err(error)));
        }
    }

    fn forget(&mut self, name: &str) -> bool {
        self.threads.forget(name)
    }
}

/// Verifies passwords where that may take its time; answers come as [`Mail::Verified`].
pub trait PasswordVerifier: std::fmt::Debug {
    /// Runs `job`, of whose client `others` are asked for already; returns false if that cannot be
    /// done. Jobs with fewer others come first: a client that asks for many does not hold up a client
    /// that asks for one.
    fn ask(&mut self, job: VerifyJob, others: usize) -> bool;
}

/// Verifies passwords on threads.
#[derive(Debug)]
pub struct ThreadedVerifier(ThreadPool<Mail>);

impl ThreadedVerifier {
    /// At most `threads` passwords at a time, answered through `mailbox`.
    #[must_use]
    pub fn new(threads: usize, mailbox: Mailbox<Mail>) -> Self {
        Self(ThreadPool::new(threads, mailbox))
    }
}

impl PasswordVerifier for ThreadedVerifier {
    fn ask(&mut self, job: VerifyJob, others: usize) -> bool {
        self.0.run_behind(others, move || Mail::Verified(job.run())).is_ok()
    }
}

/// Frees what is large where that may take its time: the loop never does.
pub trait Reclaimer: std::fmt::Debug {
    /// Drops `garbage` elsewhere.
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>);
}

/// Frees at once; for a proxy that is never reloaded.
#[derive(Clone, Copy, Debug)]
pub struct ReclaimAtOnce;

impl Reclaimer for ReclaimAtOnce {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
}

/// Frees on its threads.
impl Reclaimer for ThreadPool<Mail> {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        self.discard(garbage);
    }
}

/// What the proxy needs from outside.
#[derive(Debug)]
pub struct Environment {
    /// Looks names up; without, the proxy asks servers itself, on the loop.
    pub resolver: Option<Box<dyn NameResolver>>,
    /// Verifies passwords.
    pub verifier: Box<dyn PasswordVerifier>,
    /// Frees what a reload has replaced.
    pub reclaimer: Box<dyn Reclaimer>,
    /// The addresses of this machine, which are no destinations; later ones come as
    /// [`Mail::Addresses`]. None if they cannot be read: nothing is dialled until they come.
    pub addresses: Option<Vec<IpAddr>>,
    /// Takes access log lines.
    pub log: Box<dyn LogSink>,
    /// A number that nobody outside can know.
    pub secret: [u64; 2],
}
