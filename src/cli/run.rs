//! `tidegate run`: the proxy with its signals, its banner and its log.

mod reload;

use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::config::{ControlTarget, Options, ResolverKind};

use crate::proxy::{
    Command, Interfaces, LogSink, Mail, Surroundings, SystemInterfaces, ThreadedHasher,
    ThreadedResolver, Worker,
};
use crate::reactor::{App, Event, Reactor, raise_descriptor_limit};

use super::args::RunArgs;
use super::banner::banner;
use super::log_writer::{LogControl, LogWriter};
use super::say::say;
use super::{allocator, fail, operate, refuse};

use reload::Reloading;

/// Descriptors for what is neither a client nor its origin: listeners, logs, files.
const SPARE_DESCRIPTORS: u64 = 64;
/// Fewer clients than this are hardly what anybody had in mind.
const FEW_CLIENTS: usize = 64;

/// Runs the proxy until it is told to stop.
pub(super) fn run(args: &RunArgs) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(message) => return refuse(&message),
    };
    let secret = match Secret::draw() {
        Ok(secret) => secret,
        Err(error) => return fail(&format!("no random numbers: {error}")),
    };
    if let Err(message) = options.settings(&secret.pseudonym) {
        return refuse(&message);
    }
    match Program::start(args.clone(), &options, secret) {
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

/// What a proxy needs from this machine.
pub(super) fn surroundings(
    options: &Options,
    reactor: &Reactor<Mail>,
    log: Box<dyn LogSink>,
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
        interfaces: Box::new(SystemInterfaces),
        log,
        secret: secret.keys,
    }
}

/// The proxy, and how it was started.
struct Program {
    worker: Worker,
    args: RunArgs,
    /// The options that hold; of those that take a restart, what they were at the start.
    options: Options,
    /// Where it listens.
    addresses: Vec<SocketAddr>,
    log: LogControl,
    reloading: Reloading,
    pseudonym: String,
    interrupted: bool,
    /// How many dropped log lines were reported, and when.
    reported: Option<(u64, Instant)>,
    /// A file about names of which was said that it cannot be read any more.
    lost: Option<PathBuf>,
}

impl Program {
    fn start(
        args: RunArgs,
        options: &Options,
        secret: Secret,
    ) -> io::Result<(Self, Reactor<Mail>)> {
        let descriptors = raise_descriptor_limit()?;
        let mut reactor = Reactor::new()?;
        // Before any thread is started, so that none of them takes a signal.
        reactor.watch_signals(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1])?;
        let settings = options.settings(&secret.pseudonym).map_err(io::Error::other)?;
        if settings.reverse.is_none() {
            know_this_machine()?;
        }
        let waiting = usize::try_from(settings.limits.log_buffer.0).unwrap_or(usize::MAX);
        let log = LogWriter::start(options.access_log.clone(), waiting)?;
        let control = log.control();
        let surroundings = surroundings(options, &reactor, Box::new(log), &secret);
        let clients = clients_for(descriptors);
        if clients < FEW_CLIENTS {
            say(format_args!(
                "RLIMIT_NOFILE is {descriptors}: there are descriptors for {clients} clients only"
            ));
        }
        let auth = settings.auth.clone();
        let mut worker = Worker::new(settings, surroundings, clients);
        let mut addresses = Vec::new();
        for address in options.listeners() {
            let bound = worker.listen(&mut reactor, address);
            let error = |error| io::Error::other(format!("cannot listen on {address}: {error}"));
            addresses.push(bound.map_err(error)?);
        }
        let port = addresses.first().map_or(0, SocketAddr::port);
        worker.offer_reloads();
        let operating = open_to_operators(&mut worker, &mut reactor, options, port)?;
        say(banner(options, auth.as_ref(), &addresses));
        options.auth.warnings(auth.as_ref(), &addresses).iter().for_each(say);
        operating.iter().for_each(say);
        for address in &addresses {
            say(format_args!("listening {address}"));
        }
        let program = Self {
            worker,
            args,
            options: options.clone(),
            addresses,
            log: control,
            reloading: Reloading::new(reactor.mailbox()),
            pseudonym: secret.pseudonym,
            interrupted: false,
            reported: None,
            lost: None,
        };
        Ok((program, reactor))
    }

    /// Serves until it is over, and writes down whatever was still going on then.
    fn turn_until_over(mut self, reactor: Reactor<Mail>) -> ExitCode {
        // Never dropped: its signals stay blocked until the process has ended, so that one that
        // comes late does not end it before the log is written.
        let mut reactor = ManuallyDrop::new(reactor);
        let turned = self.turn(&mut reactor);
        for line in self.worker.describe() {
            say(format_args!("still open: {line}"));
        }
        let empty = self.worker.is_empty();
        self.worker.give_up(&mut reactor);
        match turned {
            Err(error) => fail(&error.to_string()),
            Ok(()) if self.interrupted && !empty => ExitCode::FAILURE,
            Ok(()) => ExitCode::SUCCESS,
        }
    }

    fn turn(&mut self, reactor: &mut Reactor<Mail>) -> io::Result<()> {
        while !self.worker.is_over() {
            reactor.turn(self, None)?;
            self.take_reloads(reactor);
            allocator::tell(&mut self.worker);
            self.report_dropped_lines(reactor);
            self.report_lost_file();
            self.worker.take_notice().iter().for_each(say);
        }
        Ok(())
    }

    /// Says, once in a while, that the access log is not complete.
    fn report_dropped_lines(&mut self, reactor: &Reactor<Mail>) {
        const INTERVAL: Duration = Duration::from_secs(10);
        let (dropped, now) = (self.worker.dropped_log_lines(), reactor.now().mono);
        let due = self.reported.is_none_or(|(_, at)| now.duration_since(at) >= INTERVAL);
        if dropped > self.reported.map_or(0, |(before, _)| before) && due {
            say(format_args!("the access log is too slow: {dropped} lines dropped so far"));
            self.reported = Some((dropped, now));
        }
    }

    /// Says once that a file about names cannot be read any more.
    fn report_lost_file(&mut self) {
        let lost = self.worker.lost_file();
        if lost == self.lost.as_deref() {
            return;
        }
        if let Some(path) = lost {
            say(format_args!("{} cannot be read any more: it counts as it was", path.display()));
        }
        self.lost = lost.map(Path::to_owned);
    }

    fn signal(&mut self, signal: i32, reactor: &mut Reactor<Mail>) {
        match signal {
            libc::SIGHUP => self.reload(reactor),
            libc::SIGUSR1 => self.worker.command(Command::Reopen, reactor),
            libc::SIGINT if self.worker.is_draining() => {
                self.interrupted = true;
                self.worker.command(Command::Stop, reactor);
            }
            _ => {
                say(format_args!("draining {} open connections", self.worker.open()));
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

/// Opens what the proxy is operated by, and says where that is, in lines for the banner. The default
/// socket is nothing that was asked for: without it, the proxy runs as well.
fn open_to_operators(
    worker: &mut Worker,
    reactor: &mut Reactor<Mail>,
    options: &Options,
    port: u16,
) -> io::Result<Vec<String>> {
    let mut open = |path: &Path| {
        let opened = worker.listen_to_operators(reactor, path);
        opened.map(|()| format!("  control  {}", path.display())).map_err(|error| {
            io::Error::other(format!("cannot take commands at {}: {error}", path.display()))
        })
    };
    let mut lines = vec![match (&options.control, operate::default_socket(port)) {
        (ControlTarget::Off, _) => "  control  off".to_owned(),
        (ControlTarget::At(path), _) => open(path)?,
        (ControlTarget::Default, Some(path)) => {
            open(&path).unwrap_or_else(|error| format!("  control  off: {error}"))
        }
        (ControlTarget::Default, None) => {
            "  control  off: XDG_RUNTIME_DIR is not set (--control PATH)".to_owned()
        }
    }];
    if let Some(address) = options.admin {
        let served = worker.serve_figures(reactor, address);
        let error = |error| io::Error::other(format!("cannot listen on {address}: {error}"));
        lines.push(format!("  metrics  http://{}/metrics", served.map_err(error)?));
    }
    Ok(lines)
}

/// Without that, a forward proxy would not know which destinations are this machine itself.
fn know_this_machine() -> io::Result<()> {
    SystemInterfaces.addresses().map(drop).map_err(|error| {
        io::Error::other(format!(
            "the addresses of this machine cannot be read: {error}; a sandbox around tidegate has \
             to allow netlink sockets (AF_NETLINK)"
        ))
    })
}

/// How many clients so many descriptors bear: each may need a second one for its origin.
fn clients_for(descriptors: u64) -> usize {
    let pairs = descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2;
    usize::try_from(pairs.max(1)).unwrap_or(usize::MAX)
}
