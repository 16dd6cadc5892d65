//! The proxy as a program on a reactor, with its signals and notices.

use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::options::RunArgs;
use crate::config::{LogTarget, Options};
use crate::proxy::{Command, Mail, ServiceId, UpgradeRequest, Worker};
use crate::reactor::{App, Event, InterfaceWatch, Reactor};

use super::allocator::Heap;
use super::ban_store::BanStore;
use super::certificate_watch;
use super::disk_watch::{self, Disks};
use super::file_watch::FileWatch;
use super::geoip_watch;
use super::notices::Notices;
use super::outlet::Outlet;
use super::overseer::Overseer;
use super::pulse::Pulse;
use super::reloader::Reloader;
use super::rights::Rights;
use super::shipping::Shipping;

/// Time for which a blocked output may delay the end of the process.
const LAST_FLUSH: Duration = Duration::from_secs(1);
/// Limit of the open exchanges named when a drain is cut short.
const MOST_NAMED: usize = 100;

/// The proxy, with everything needed to reload and to end it.
pub(super) struct Program {
    pub(super) worker: Worker,
    pub(super) args: Arc<RunArgs>,
    /// Options in force; of those that need a restart, the values at the start.
    pub(super) options: Arc<Options>,
    /// Addresses at which requests are served without TLS, and the services there.
    pub(super) in_clear: Arc<[(ServiceId, SocketAddr)]>,
    pub(super) notices: Notices,
    pub(super) log: Outlet,
    pub(super) ship: Option<Shipping>,
    pub(super) reloading: Reloader,
    pub(super) heap: Heap,
    pub(super) pseudonym: Arc<str>,
    pub(super) rights: Arc<Rights>,
    pub(super) certificates: Option<FileWatch>,
    pub(super) places: Option<FileWatch>,
    pub(super) disks: Option<FileWatch>,
    pub(super) bans: Option<BanStore>,
    pub(super) overseer: Arc<Overseer>,
    pub(super) pulse: Option<Pulse>,
    /// An upgrade that the supervisor carries out.
    pub(super) upgrade: Option<UpgradeRequest>,
    pub(super) interrupted: bool,
    /// A file of name resolution that is already reported as unreadable.
    pub(super) lost: Option<PathBuf>,
    pub(super) _watch: Option<InterfaceWatch>,
}

impl Program {
    /// Runs the proxy until it ends, and logs the exchanges that are open then.
    pub(super) fn turn_until_over(self, reactor: Reactor<Mail>) -> ExitCode {
        // Program and reactor are never dropped. The reactor's signals stay blocked until the
        // process has ended, so that a late one does not end it before the log is written. Freeing
        // the proxy's memory would only take time.
        let (mut program, mut reactor) = (ManuallyDrop::new(self), ManuallyDrop::new(reactor));
        let failed = program.turn(&mut reactor).err();
        program.end(failed.as_ref(), &mut reactor)
    }

    fn end(&mut self, failed: Option<&io::Error>, reactor: &mut Reactor<Mail>) -> ExitCode {
        self.say_what_is_open();
        let cut_off = self.interrupted && !self.worker.is_empty();
        self.worker.abort(reactor);
        failed.into_iter().for_each(|error| self.notices.complain(&error.to_string()));
        if let Some(store) = self.bans.as_mut().filter(|_| !self.worker.has_yielded()) {
            let last = store.finish(self.worker.take_last_bans(reactor.now()), LAST_FLUSH);
            last.err().iter().for_each(|reason| self.notices.complain(reason));
        }
        if self.ship.as_ref().is_some_and(|ship| !ship.finish(LAST_FLUSH)) {
            self.notices.complain("the last log lines are not in the spool: the disk is too slow");
        }
        self.log.finish(LAST_FLUSH);
        self.notices.finish(LAST_FLUSH);
        if failed.is_some() || cut_off { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn say_what_is_open(&self) {
        let open = self.worker.dump();
        for line in open.iter().take(MOST_NAMED) {
            self.notices.say(format_args!("still open: {line}"));
        }
        if let Some(more) = open.len().checked_sub(MOST_NAMED).filter(|&more| more > 0) {
            self.notices.say(format_args!("still open: {more} more"));
        }
    }

    fn turn(&mut self, reactor: &mut Reactor<Mail>) -> io::Result<()> {
        while !self.worker.is_finished() {
            reactor.turn(self, None)?;
            self.take_reloads(reactor);
            self.take_upgrades(reactor);
            self.heap.report_heap(&mut self.worker);
            self.save_bans();
            self.report_lost_file();
            while let Some(notice) = self.worker.take_notice() {
                self.notices.say(notice);
            }
        }
        Ok(())
    }

    /// Has bans saved that have changed, unless another process writes the files now.
    fn save_bans(&mut self) {
        if self.worker.has_yielded() {
            return;
        }
        if let Some((store, saved)) = self.bans.as_mut().zip(self.worker.take_bans()) {
            store.write(saved);
        }
    }

    /// Reports once that a file of name resolution cannot be read any more.
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

    /// Watches the files that the settings were read from, in place of those before: certificates, and
    /// databases of places.
    pub(super) fn watch_files(&mut self, reactor: &Reactor<Mail>) {
        self.watch_certificates(reactor);
        self.watch_places(reactor);
    }

    /// Watches the disk of the access log `log`, in place of that before.
    pub(super) fn watch_disks(&mut self, log: &LogTarget, reactor: &Reactor<Mail>) {
        let number = FileWatch::next(self.disks.as_ref());
        let disks = Disks::default();
        self.worker.set_disk_probe(Box::new(disks.clone()));
        match disk_watch::watch(number, (log, disks), reactor.mailbox()) {
            Ok(watch) => self.disks = watch,
            Err(error) => {
                let line = "the disk of the access log is not watched, for want of a thread";
                self.notices.complain(&format!("{line}: {error}; reload to try again"));
            }
        }
    }

    fn watch_places(&mut self, reactor: &Reactor<Mail>) {
        let number = FileWatch::next(self.places.as_ref());
        let settings = self.worker.settings();
        let watched = (&*settings.geo, settings.destinations.egress.geo_kinds());
        match geoip_watch::watch(number, watched, reactor.mailbox()) {
            Ok(watch) => self.places = watch,
            Err(error) => self.notices.complain(&unwatched("GeoIP databases", &error)),
        }
    }

    fn watch_certificates(&mut self, reactor: &Reactor<Mail>) {
        let obtains = !self.options.acme.certificates.is_empty();
        let number = FileWatch::next(self.certificates.as_ref());
        let watched = (self.options.tls.clone(), obtains);
        let served = self.worker.settings().server_tls.as_deref();
        match certificate_watch::watch(number, watched, served, reactor.mailbox()) {
            Ok(watch) => self.certificates = watch,
            Err(error) => {
                self.notices.complain(&unwatched("files of certificates", &error));
            }
        }
    }

    fn signal(&mut self, signal: i32, reactor: &mut Reactor<Mail>) {
        match signal {
            libc::SIGHUP => self.reload(reactor),
            libc::SIGUSR1 => self.worker.command(Command::Reopen, reactor),
            libc::SIGUSR2 if self.overseer.is_supervisor() => self.overseer.upgrade(),
            libc::SIGUSR2 => self.notices.complain("not upgraded: --supervise is off"),
            libc::SIGXFSZ => {} // the write itself fails with EFBIG
            libc::SIGINT if self.worker.is_draining() => self.stop(reactor),
            _ => self.drain(Command::Drain, reactor),
        }
    }
}

/// Returns a message about files for which no thread could be started.
fn unwatched(files: &str, error: &io::Error) -> String {
    format!("the {files} are not watched, for want of a thread: {error}; after a change, reload")
}

impl App for Program {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Signal(signal) => self.signal(signal, reactor),
            Event::Mail(Mail::Program(what)) => self.on_mail(what, reactor),
            Event::Drive(token, _) if self.pulse.as_ref().is_some_and(|it| it.is_at(token)) => {
                self.pulse.iter().for_each(|pulse| pulse.beat(&self.overseer, reactor));
            }
            event => self.worker.handle(reactor, event),
        }
    }
}
