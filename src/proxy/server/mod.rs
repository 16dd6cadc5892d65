//! A proxy as a whole program: a reactor, a worker, and the services of this process.

mod line_writer;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::thread::available_parallelism;

use crate::reactor::{App, Event, Reactor, ThreadPool, interface_addresses};

use super::environment::{Environment, ThreadedJobs, ThreadedVerifier};
use super::jobs::Lane;
use super::mail::{Command, Mail};
use super::settings::Settings;
use super::worker::Worker;

use line_writer::LineWriter;

/// Clients that are served at a time, unless the settings have a bound.
const CLIENTS: usize = 1024;
/// Most threads that open and read files which the system does not have in memory.
const FILE_THREADS: usize = 8;
/// Threads that run handlers, for each processor: handlers may wait.
const HANDLERS_PER_PROCESSOR: usize = 8;

/// A proxy that runs until a signal ends it, for programs that leave the rest of the process to it.
///
/// The access log goes to standard output and notices to standard error. SIGINT or SIGTERM drains the
/// proxy, a second one stops it. Programs that need more use a [`Worker`] on a [`Reactor`] of their own.
#[derive(Debug)]
pub struct Server {
    reactor: Reactor<Mail>,
    program: Program,
}

/// The part of a server that handles events.
#[derive(Debug)]
struct Program {
    worker: Worker,
}

impl Server {
    /// Creates a server without listeners. Call this before any thread is started, since those would
    /// receive signals.
    ///
    /// # Errors
    /// Fails if the system provides no epoll, no signals or no random numbers.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let mut reactor = Reactor::new()?;
        reactor.watch_signals(&[libc::SIGINT, libc::SIGTERM])?;
        let processors = available_parallelism().map_or(1, usize::from);
        let threads = |lane| match lane {
            Lane::Files => FILE_THREADS,
            Lane::Handlers => HANDLERS_PER_PROCESSOR * processors,
            Lane::Coding => processors,
        };
        let environment = Environment {
            resolver: None,
            verifier: Box::new(ThreadedVerifier::new(processors, reactor.mailbox())),
            jobs: Box::new(ThreadedJobs::new(threads, &reactor.mailbox())),
            reclaimer: Box::new(ThreadPool::new(1, reactor.mailbox())),
            addresses: interface_addresses().ok(),
            log: Box::new(LineWriter::start(io::stdout())?),
            secret: random()?,
        };
        let worker = Worker::new(settings, environment, CLIENTS);
        Ok(Self { reactor, program: Program { worker } })
    }

    /// Opens a listener, and returns its address. Port 0 stands for any that is free.
    ///
    /// # Errors
    /// Fails if the address cannot be listened at.
    pub fn listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        self.program.worker.listen(&mut self.reactor, address)
    }

    /// Returns the worker, to give it a hook.
    pub const fn worker(&mut self) -> &mut Worker {
        &mut self.program.worker
    }

    /// Serves until signals end the server.
    ///
    /// # Errors
    /// Fails if the system's poll fails.
    pub fn run(mut self) -> io::Result<()> {
        let mut notices = LineWriter::start(io::stderr())?;
        while !self.program.worker.is_finished() {
            self.reactor.turn(&mut self.program, None)?;
            while let Some(notice) = self.program.worker.take_notice() {
                notices.send(format!("{notice}\n"));
            }
        }
        self.program.worker.abort(&mut self.reactor);
        Ok(())
    }
}

impl App for Program {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Signal(_) if self.worker.is_draining() => {
                self.worker.command(Command::Stop, reactor);
            }
            Event::Signal(_) => self.worker.command(Command::Drain, reactor),
            event => self.worker.handle(reactor, event),
        }
    }
}

/// Returns numbers that no client can know.
fn random() -> io::Result<[u64; 2]> {
    let mut bytes = [[0; 8]; 2];
    File::open("/dev/urandom")?.read_exact(bytes.as_flattened_mut())?;
    Ok(bytes.map(u64::from_ne_bytes))
}
