//! Services that the embedder provides to a proxy.

use std::any::Any;
use std::io;
use std::net::IpAddr;

use crate::auth::VerifyJob;
use crate::proxy::observe::access_log::LogSink;
use crate::reactor::{Mailbox, SystemResolver, ThreadPool};

use super::jobs::{JobDone, JobRunner, JobWork, Lane};
use super::mail::Mail;

/// Resolves names without blocking. Answers arrive as [`Mail::Resolved`].
pub trait NameResolver: std::fmt::Debug {
    /// Begins to resolve `name`, on behalf of `client` if its lookups are bounded.
    fn ask(&mut self, name: &str, client: Option<IpAddr>);

    /// Cancels a lookup that is no longer needed. Returns true if no answer will arrive, false if
    /// the lookup cannot be cancelled.
    fn forget(&mut self, name: &str) -> bool {
        let _ = name;
        false
    }
}

/// The system's resolver, called on threads.
#[derive(Debug)]
pub struct ThreadedResolver {
    threads: SystemResolver<Mail>,
    mailbox: Mailbox<Mail>,
}

impl ThreadedResolver {
    /// Creates a resolver for at most `threads` lookups at a time, answered through `mailbox`.
    #[must_use]
    pub fn new(threads: usize, mailbox: Mailbox<Mail>) -> Self {
        Self { threads: SystemResolver::new(threads, mailbox.clone(), Mail::Resolved), mailbox }
    }
}

impl NameResolver for ThreadedResolver {
    fn ask(&mut self, name: &str, client: Option<IpAddr>) {
        if let Err(error) = self.threads.ask(name, client) {
            // If the mailbox is full, the lookup ends by its deadline.
            let _ = self.mailbox.send(Mail::Resolved(name.to_owned(), Err(error)));
        }
    }

    fn forget(&mut self, name: &str) -> bool {
        self.threads.forget(name)
    }
}

/// Verifies passwords off the loop, since that takes long. Answers arrive as [`Mail::Verified`].
pub trait PasswordVerifier: std::fmt::Debug {
    /// Begins `job`, whose client has `others` in progress; returns false if that is not possible.
    /// Jobs with fewer others run first: a client with many jobs does not delay a client with one.
    fn ask(&mut self, job: VerifyJob, others: usize) -> bool;
}

/// Verifies passwords on threads.
#[derive(Debug)]
pub struct ThreadedVerifier(ThreadPool<Mail>);

impl ThreadedVerifier {
    /// Creates a verifier of at most `threads` passwords at a time, answering through `mailbox`.
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

/// Runs jobs on threads, those of each lane on threads of its own.
#[derive(Debug)]
pub struct ThreadedJobs([ThreadPool<Mail>; Lane::ALL.len()]);

impl ThreadedJobs {
    /// Creates a runner with at most `threads` for each lane, whose results arrive through `mailbox`.
    #[must_use]
    pub fn new(threads: impl Fn(Lane) -> usize, mailbox: &Mailbox<Mail>) -> Self {
        Self(Lane::ALL.map(|lane| ThreadPool::new(threads(lane), mailbox.clone())))
    }
}

impl JobRunner for ThreadedJobs {
    fn run(&mut self, lane: Lane, work: JobWork) -> io::Result<Option<JobDone>> {
        self.0[lane as usize].run(move || Mail::Job(Box::new(work()))).map(|()| None)
    }
}

/// Frees large objects off the loop, since that takes long.
pub trait Reclaimer: std::fmt::Debug {
    /// Drops `garbage` elsewhere.
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>);
}

/// A reclaimer that frees at once, for a proxy that is never reloaded.
#[derive(Clone, Copy, Debug)]
pub struct ReclaimAtOnce;

impl Reclaimer for ReclaimAtOnce {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
}

/// Frees on the threads of the pool.
impl Reclaimer for ThreadPool<Mail> {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        self.discard(garbage);
    }
}

/// The services that a proxy needs from its embedder.
#[derive(Debug)]
pub struct Environment {
    /// Resolves names. Without it, the proxy queries name servers itself, on the loop.
    pub resolver: Option<Box<dyn NameResolver>>,
    /// Verifies passwords.
    pub verifier: Box<dyn PasswordVerifier>,
    /// Runs jobs that would hold up the loop: files of folders, handlers of applications, compression.
    pub jobs: Box<dyn JobRunner>,
    /// Frees the settings that a reload has replaced.
    pub reclaimer: Box<dyn Reclaimer>,
    /// The addresses of this machine, which are denied as destinations. Changes arrive as
    /// [`Mail::Addresses`]. `None` if they cannot be read: a forward proxy then dials no address
    /// until they arrive.
    pub addresses: Option<Vec<IpAddr>>,
    /// The destination of access log lines.
    pub log: Box<dyn LogSink>,
    /// A random number, unknown to all clients and origins.
    pub secret: [u64; 2],
}
