//! `tidegate run`: the proxy with its signals, its notices and its log.

mod allocator;
mod banner;
mod confine;
mod dumps;
mod files;
mod identity;
mod listening;
mod log_writer;
mod notices;
mod operating;
mod outlet;
mod output;
mod plan;
mod reload;
mod rights;
mod start;

use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::options::RunArgs;
use crate::cli::say::{fail, refuse};
use crate::config::{Options, ResolverKind};
use crate::proxy::{
    Command, LogSink, Mail, Surroundings, ThreadedHasher, ThreadedResolver, Worker,
};
use crate::reactor::{App, Event, InterfaceWatch, Reactor};

use allocator::{Heap, Reclaiming};
use identity::Identity;
use notices::Notices;
use outlet::Outlet;
use reload::Reloading;
use rights::Rights;

/// Time for which an output that takes nothing may hold up the end of the process.
const LAST_FLUSH: Duration = Duration::from_secs(1);
/// Exchanges named that a drain has cut off.
const MOST_NAMED: usize = 100;

/// Runs the proxy until it is told to stop.
pub(super) fn run(args: RunArgs) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(message) => return refuse(&message),
    };
    if let Err(error) = dumps::set(options.core_dumps) {
        return fail(&format!("core dumps cannot be forbidden: {error}; see --allow-core-dumps"));
    }
    let identity = match Identity::of(&options) {
        Ok(identity) => identity,
        Err(message) => return refuse(&message),
    };
    let secret = match Secret::draw() {
        Ok(secret) => secret,
        Err(error) => return fail(&format!("no random numbers: {error}")),
    };
    let settings = match options.settings(&secret.pseudonym) {
        Ok(settings) => settings,
        Err(message) => return refuse(&message),
    };
    match Program::start(args, options, settings, identity, secret) {
        Ok((program, reactor)) => program.turn_until_over(reactor),
        Err(error) => fail(&error.to_string()),
    }
}

/// What must differ from process to process, and what nobody outside may know.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    keys: [u64; 2],
    pseudonym: String,
}

impl Secret {
    pub(super) fn draw() -> io::Result<Self> {
        let mut bytes = [0; 20];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let (keys, name) = bytes.split_at(16);
        let key = |at: usize| keys[at..at + 8].iter().fold(0, |key, &b| key << 8 | u64::from(b));
        let name: String = name.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { keys: [key(0), key(8)], pseudonym: format!("tidegate-{name}") })
    }
}

/// The surroundings of a proxy on this machine, which has these `addresses`.
pub(super) fn surroundings(
    options: &Options,
    reactor: &Reactor<Mail>,
    log: Box<dyn LogSink>,
    addresses: Option<Vec<IpAddr>>,
    secret: &Secret,
) -> Surroundings {
    let limits = &options.limits;
    let threaded = || ThreadedResolver::new(limits.resolver_threads, reactor.mailbox());
    Surroundings {
        resolver: match options.resolver {
            ResolverKind::Loop => None,
            ResolverKind::System => Some(Box::new(threaded())),
        },
        hasher: Box::new(ThreadedHasher::new(limits.password_threads, reactor.mailbox())),
        reclaimer: Box::new(Reclaiming::new(reactor.mailbox())),
        addresses,
        log,
        secret: secret.keys,
    }
}

/// The proxy, and how it was started.
struct Program {
    worker: Worker,
    args: Arc<RunArgs>,
    /// The options that hold; of those that take a restart, what they were at the start.
    options: Arc<Options>,
    /// Where it listens.
    addresses: Arc<[SocketAddr]>,
    notices: Notices,
    log: Outlet,
    reloading: Reloading,
    heap: Heap,
    pseudonym: Arc<str>,
    rights: Arc<Rights>,
    interrupted: bool,
    /// A file about names of which was said that it cannot be read any more.
    lost: Option<PathBuf>,
    _watch: Option<InterfaceWatch>,
}

impl Program {
    /// Serves until it is over, and writes down whatever was still going on then.
    fn turn_until_over(self, reactor: Reactor<Mail>) -> ExitCode {
        // Neither is ever dropped. The signals of the reactor stay blocked until the process has
        // ended, so that one that comes late does not end it before the log is written. Freeing what
        // the proxy holds would only take time.
        let (mut program, mut reactor) = (ManuallyDrop::new(self), ManuallyDrop::new(reactor));
        let failed = program.turn(&mut reactor).err();
        program.end(failed.as_ref(), &mut reactor)
    }

    fn end(&mut self, failed: Option<&io::Error>, reactor: &mut Reactor<Mail>) -> ExitCode {
        self.say_what_is_open();
        let cut_off = self.interrupted && !self.worker.is_empty();
        self.worker.give_up(reactor);
        failed.into_iter().for_each(|error| self.notices.complain(&error.to_string()));
        self.log.finish(LAST_FLUSH);
        self.notices.finish(LAST_FLUSH);
        if failed.is_some() || cut_off { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn say_what_is_open(&self) {
        let open = self.worker.describe();
        for line in open.iter().take(MOST_NAMED) {
            self.notices.say(format_args!("still open: {line}"));
        }
        if let Some(more) = open.len().checked_sub(MOST_NAMED).filter(|&more| more > 0) {
            self.notices.say(format_args!("still open: {more} more"));
        }
    }

    fn turn(&mut self, reactor: &mut Reactor<Mail>) -> io::Result<()> {
        while !self.worker.is_over() {
            reactor.turn(self, None)?;
            self.take_reloads(reactor);
            self.heap.tell(&mut self.worker);
            self.report_lost_file();
            self.worker.take_notice().iter().for_each(|notice| self.notices.say(notice));
        }
        Ok(())
    }

    /// Says once that a file about names cannot be read any more.
    fn report_lost_file(&mut self) {
        let lost = self.worker.lost_file();
        if lost == self.lost.as_deref() {
            return;
        }
        if let Some(path) = lost {
            self.notices.say(format_args!("{} {}", path.display(), self.rights.lost_file()));
        }
        self.lost = lost.map(Path::to_owned);
    }

    fn signal(&mut self, signal: i32, reactor: &mut Reactor<Mail>) {
        match signal {
            libc::SIGHUP => self.reload(reactor),
            libc::SIGUSR1 => self.worker.command(Command::Reopen, reactor),
            libc::SIGXFSZ => {} // the thread that wrote sees the error
            libc::SIGINT if self.worker.is_draining() => {
                self.interrupted = true;
                self.worker.command(Command::Stop, reactor);
            }
            _ => {
                let open = self.worker.open();
                self.notices.say(format_args!("draining {open} open connections"));
                self.worker.command(Command::Drain, reactor);
            }
        }
    }
}

impl App for Program {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Signal(signal) => self.signal(signal, reactor),
            Event::Mail(Mail::Program(what)) => self.told(what, reactor),
            event => self.worker.handle(reactor, event),
        }
    }
}
