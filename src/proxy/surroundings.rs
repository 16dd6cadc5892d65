//! What a proxy needs from outside, and what it is told from there.

use std::any::Any;
use std::io;
use std::net::IpAddr;

use crate::auth::{Done, Job};
use crate::reactor::{Background, Mailbox, SystemResolver, interface_addresses};

use super::log::LogSink;
use super::settings::Settings;

/// What other threads, and the program around the proxy, tell it.
#[derive(Debug)]
pub enum Mail {
    /// The answer to a question about a name.
    Resolved(String, io::Result<Vec<IpAddr>>),
    /// What came of verifying a password.
    Hashed(Done),
    /// Something to do.
    Command(Command),
    /// Something for the program around the proxy, which takes it before the proxy does.
    Program(Box<dyn Any + Send>),
}

/// What a proxy can be told while it runs.
#[derive(Debug)]
pub enum Command {
    /// Take no new clients, finish what is in flight, then stop.
    Drain,
    /// Stop at once.
    Stop,
    /// Go on with other settings.
    Reload(Box<Settings>),
    /// Open the access log anew.
    Reopen,
}

/// Looks names up, without blocking; answers come as [`Mail::Resolved`].
pub trait Resolver: std::fmt::Debug {
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

impl Resolver for ThreadedResolver {
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

/// Verifies passwords where that may take its time; answers come as [`Mail::Hashed`].
pub trait Hasher: std::fmt::Debug {
    /// Has `job` run; whether that will be done.
    fn ask(&mut self, job: Job) -> bool;
}

/// Verifies passwords on threads.
#[derive(Debug)]
pub struct ThreadedHasher(Background<Mail>);

impl ThreadedHasher {
    /// At most `threads` passwords at a time, answered through `mailbox`.
    #[must_use]
    pub fn new(threads: usize, mailbox: Mailbox<Mail>) -> Self {
        Self(Background::new(threads, mailbox))
    }
}

impl Hasher for ThreadedHasher {
    fn ask(&mut self, job: Job) -> bool {
        self.0.run(move || Mail::Hashed(job.run())).is_ok()
    }
}

/// Knows which addresses this machine has.
pub trait Interfaces: std::fmt::Debug {
    /// The addresses of all interfaces, as they are now. Asked every few seconds at most, and only
    /// when something is dialled.
    ///
    /// # Errors
    /// If they cannot be read. Where they could never be read, nothing is dialled.
    fn addresses(&mut self) -> io::Result<Vec<IpAddr>>;
}

/// The interfaces of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemInterfaces;

impl Interfaces for SystemInterfaces {
    fn addresses(&mut self) -> io::Result<Vec<IpAddr>> {
        interface_addresses()
    }
}

/// Interfaces that never change.
impl Interfaces for Vec<IpAddr> {
    fn addresses(&mut self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

/// What the proxy needs from outside.
#[derive(Debug)]
pub struct Surroundings {
    /// Looks names up; without, the proxy asks servers itself, on the loop.
    pub resolver: Option<Box<dyn Resolver>>,
    /// Verifies passwords.
    pub hasher: Box<dyn Hasher>,
    /// Knows the addresses of this machine, which are no destinations.
    pub interfaces: Box<dyn Interfaces>,
    /// Takes access log lines.
    pub log: Box<dyn LogSink>,
    /// A number that nobody outside can know.
    pub secret: [u64; 2],
}
