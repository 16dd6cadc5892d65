//! The supervising process: waits for signals, reports and deadlines, and carries out the actions of the
//! [`Supervisor`].

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::cli::args::options::RunArgs;
use crate::cli::service_manager::ServiceManager;
use crate::reactor::{App, Clock, Reactor, SystemClock};
use crate::supervise::ended::REFUSED;
use crate::supervise::event::{Action, Event, Number};
use crate::supervise::link::{Order, Report, STATE_VERSION};
use crate::supervise::state::Handed;
use crate::supervise::supervisor::Supervisor;

use super::process::Process;
use super::sockets::Sockets;
use super::successor::become_binary;
use super::voice::Voice;

const SIGNALS: &[i32] =
    &[libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGCHLD];
/// Signs of life that a worker gives within the time after which it counts as hung.
const BEATS: u32 = 4;
/// The binary of this process, also if its file is gone.
const OWN_BINARY: &str = "/proc/self/exe";

/// The supervising process.
pub(super) struct Master {
    args: RunArgs,
    executable: PathBuf,
    supervisor: Supervisor,
    heartbeat: Duration,
    sockets: Sockets,
    workers: BTreeMap<Number, Process>,
    manager: Option<ServiceManager>,
    /// Time of the next sign of life to the service manager.
    beat_at: Instant,
    reactor: Reactor<()>,
    voice: Voice,
    /// True once the end was ordered.
    is_stopping: bool,
    /// The worker whose binary this process becomes.
    becoming: Option<Number>,
    exit: Option<u8>,
}

/// Signals that were delivered.
#[derive(Default)]
struct Delivered(Vec<i32>);

impl App for Delivered {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, event: crate::reactor::Event<()>) {
        if let crate::reactor::Event::Signal(signal) = event {
            self.0.push(signal);
        }
    }
}

fn now() -> Instant {
    SystemClock.now().mono
}

impl Master {
    pub(super) fn new(
        args: RunArgs,
        executable: PathBuf,
        (supervisor, heartbeat): (Supervisor, Duration),
        (sockets, manager): (Sockets, Option<ServiceManager>),
    ) -> io::Result<Self> {
        let mut reactor = Reactor::new()?;
        reactor.watch_signals(SIGNALS)?;
        Ok(Self {
            args,
            executable,
            supervisor,
            heartbeat,
            sockets,
            workers: BTreeMap::new(),
            manager,
            beat_at: now(),
            reactor,
            voice: Voice::default(),
            is_stopping: false,
            becoming: None,
            exit: None,
        })
    }

    /// Continues with the workers that were handed over.
    pub(super) fn resumed(
        args: RunArgs,
        executable: PathBuf,
        heartbeat: Duration,
        handed: &Handed,
        manager: Option<ServiceManager>,
    ) -> io::Result<Self> {
        let of = |is_active| {
            let running = handed.running.iter();
            let these = running.filter(move |worker| worker.is_active == is_active);
            these.map(|worker| worker.number).collect::<Vec<_>>()
        };
        let (active, draining) = (of(true).first().copied(), of(false));
        let supervisor = Supervisor::resumed(heartbeat, handed.last, (active, &draining), now());
        let sockets = Sockets::resumed(handed)?;
        let workers = handed.running.iter();
        let workers = workers.map(|worker| Ok((worker.number, Process::resumed(worker)?)));
        let workers = workers.collect::<io::Result<_>>()?;
        let of_process = (sockets, manager);
        let master = Self::new(args, executable, (supervisor, heartbeat), of_process)?;
        let mut master = Self { workers, ..master };
        master.voice.say(&format!("continues as tidegate {}", env!("CARGO_PKG_VERSION")));
        Ok(master)
    }

    /// Supervises until the end, after this `first` event.
    pub(super) fn run(mut self, first: Event) -> ExitCode {
        self.handle(first);
        loop {
            if let Some(code) = self.exit {
                return ExitCode::from(code);
            }
            if let Err(error) = self.turn() {
                self.voice.say(&format!("error: cannot wait for events: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }

    /// Waits for events and handles them.
    fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        let mut delivered = Delivered::default();
        self.reactor.turn(&mut delivered, Some(Duration::ZERO))?;
        delivered.0.into_iter().for_each(|signal| self.signal(signal));
        self.read_reports();
        self.reap();
        self.handle(Event::Tick);
        if self.supervisor.is_settled()
            && let Some(number) = self.becoming.take()
        {
            self.become_successor(number);
        }
        Ok(())
    }

    fn wait(&mut self) -> io::Result<()> {
        let interval = self.manager.as_ref().and_then(ServiceManager::interval);
        if let (Some(manager), Some(interval)) = (&self.manager, interval)
            && self.beat_at <= now()
        {
            manager.beat();
            self.beat_at = now() + interval;
        }
        let beat_at = interval.map(|_| self.beat_at);
        let deadline = self.supervisor.next_deadline().into_iter().chain(beat_at).min();
        let left = deadline.map(|at| at.saturating_duration_since(now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let links = self.workers.values().map(|process| process.link().as_fd());
        let all = links.chain(self.reactor.descriptor());
        let mut all: Vec<_> = all.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)).collect();
        match poll(&mut all, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn signal(&mut self, signal: i32) {
        match signal {
            libc::SIGTERM => self.handle(Event::Stop),
            libc::SIGINT if self.is_stopping => self.handle(Event::StopAtOnce),
            libc::SIGINT => self.handle(Event::Stop),
            libc::SIGUSR2 => self.handle(Event::Upgrade(None)),
            libc::SIGUSR1 => self.workers.values().for_each(|worker| worker.kill(Signal::USR1)),
            libc::SIGHUP => {
                let number = self.supervisor.active().unwrap_or(self.supervisor.last());
                match self.workers.get(&number) {
                    Some(worker) => worker.kill(Signal::HUP), // one that starts takes it later
                    None => self.no_reload(),
                }
            }
            _ => {} // the end of a child
        }
    }

    /// Answers an order to reload while no worker runs: the next one reads the configuration anyway.
    fn no_reload(&mut self) {
        let why = "not reloaded: no worker runs";
        self.voice.say(why);
        self.manager.iter().for_each(|manager| {
            manager.reloading();
            manager.ready(why);
        });
    }

    fn read_reports(&mut self) {
        let read = |(&number, process): (&Number, &mut Process)| (number, process.reports());
        let all: Vec<_> = self.workers.iter_mut().map(read).collect();
        for (number, reports) in all {
            reports.into_iter().for_each(|report| self.report(number, report));
        }
    }

    fn report(&mut self, number: Number, report: Report) {
        let is_active = self.supervisor.active() == Some(number);
        match report {
            Report::Ready(version) => {
                let process = self.workers.get_mut(&number);
                process.into_iter().for_each(|process| process.version = Some(version));
                self.handle(Event::Ready(number));
            }
            Report::Beat => self.handle(Event::Beat(number)),
            Report::Failed(reason) => self.handle(Event::Failed(number, reason)),
            Report::Draining => self.handle(Event::Draining(number)),
            Report::Upgrade => self.handle(Event::Upgrade(Some(number))),
            Report::Reloading if is_active => {
                self.manager.iter().for_each(ServiceManager::reloading);
            }
            Report::Reloaded(result) if is_active => {
                self.manager.iter().for_each(|manager| manager.ready(&result));
            }
            Report::Reloading | Report::Reloaded(_) => {}
        }
    }

    /// Handles the ends of processes, after their last reports.
    fn reap(&mut self) {
        let ended: Vec<_> = self
            .workers
            .iter()
            .filter_map(|(&number, process)| Some((number, process.ended()?)))
            .collect();
        for (number, how) in ended {
            let last = self.workers.remove(&number).map(|mut process| process.reports());
            for report in last.into_iter().flatten() {
                self.report(number, report);
            }
            self.handle(Event::Ended(number, how));
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.supervisor.handle(event, now());
        actions.into_iter().for_each(|action| self.execute(action));
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Start(number) => self.start(number),
            Action::Keep(_) => self.sockets.keep_wanted(),
            Action::Discard(_) => self.sockets.discard_new(),
            Action::Drain(number, true) => self.tell(number, &Order::HandOver),
            Action::Drain(number, false) => self.tell(number, &Order::Drain),
            Action::Stop(number) => self.tell(number, &Order::Stop),
            Action::Answer(number, result) => self.tell(number, &Order::Answer(result)),
            Action::Abort(number) => self.kill(number, Signal::ABORT),
            Action::Kill(number) => self.kill(number, Signal::KILL),
            Action::Say(line) => self.voice.say(&line),
            Action::Waiting(line) => {
                self.voice.say(&line);
                let status = format!("no worker serves: {line}");
                self.manager.iter().for_each(|manager| manager.status(&status));
            }
            Action::Serving(number) => {
                let status = format!("worker {number} serves");
                self.manager.iter().for_each(|manager| manager.ready(&status));
            }
            Action::Close => {
                self.is_stopping = true;
                self.becoming = None;
                self.sockets.close();
                self.manager.iter().for_each(|manager| manager.stopping("draining"));
            }
            Action::Become(number) => self.becoming = Some(number),
            Action::Exit(code) => self.exit = Some(code),
        }
    }

    fn tell(&self, number: Number, order: &Order) {
        self.workers.get(&number).into_iter().for_each(|process| process.send(order));
    }

    fn kill(&self, number: Number, signal: Signal) {
        self.workers.get(&number).into_iter().for_each(|process| process.kill(signal));
    }

    /// Starts a worker of the present binary and configuration.
    fn start(&mut self, number: Number) {
        match self.started(number) {
            Ok(process) => {
                self.voice.say(&format!("worker {number} is process {}", process.pid()));
                self.workers.insert(number, process);
            }
            Err((reason, code)) => self.handle(Event::NotStarted(number, reason, code)),
        }
    }

    /// A restart does not fail for want of the binary: the one of this process is at hand.
    fn started(&mut self, number: Number) -> Result<Process, (String, u8)> {
        let options = self.args.options().map_err(|reason| (reason, REFUSED))?;
        self.sockets.fit(&options).map_err(|reason| (reason, 1))?;
        let beat = self.heartbeat / BEATS;
        let executable = &self.executable;
        let begun = Process::start(executable, (number, beat), &self.sockets);
        let failed = begun.as_ref().err().map(|error| format!("{}: {error}", executable.display()));
        match failed {
            Some(failed) if !self.supervisor.is_upgrading() => {
                self.voice.say(&format!("{failed}; starts its own binary"));
                Process::start(Path::new(OWN_BINARY), (number, beat), &self.sockets)
                    .map_err(|error| (format!("{OWN_BINARY}: {error}"), 1))
            }
            failed => begun.map_err(|_| (failed.unwrap_or_default(), 1)),
        }
    }

    /// Becomes the binary of a worker, if that knows the state of this supervisor.
    fn become_successor(&mut self, number: Number) {
        let version = self.workers.get(&number).and_then(|process| process.version);
        if version.is_none() {
            return; // the worker has ended meanwhile
        }
        if version != Some(STATE_VERSION) {
            self.voice.say(
                "stays with its own binary, whose state the new one does not read; restart it when \
                 that is convenient",
            );
            return;
        }
        let of_process = (&self.workers, &self.sockets);
        let error = become_binary(&self.executable, &self.supervisor, of_process);
        self.voice.say(&format!("stays with its own binary: {error}"));
    }
}
