//! Start of the proxy: opens everything before the first thread runs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::options::RunArgs;
use crate::cli::handed::{Inherited, acme_key, listener_key};
use crate::cli::takeover::make_room;
use crate::config::{ListenPlace, Options, PlannedListener, auth_warnings};
use crate::proxy::{Mail, Settings, Worker};
use crate::reactor::{InterfaceWatch, LocalOptions, Reactor, raise_descriptor_limit};

use super::acme_store::{certifier, reserve};
use super::allocator::Heap;
use super::ban_store::BanStore;
use super::banner::banner;
use super::environment::{Secret, addresses_of_this_machine, surroundings};
use super::identity::Identity;
use super::launch::Launch;
use super::listening::{Listening, endpoint};
use super::log_writer::LogWriter;
use super::notices::Notices;
use super::operating::Operating;
use super::outlet::Outlet;
use super::output::Output;
use super::own_figures::OwnFigures;
use super::program::Program;
use super::pulse::Pulse;
use super::reloader::Reloader;
use super::rights::Rights;
use super::shipping::{Prepared, Shipping};

/// Descriptors reserved for listeners, logs and files.
const SPARE_DESCRIPTORS: u64 = 64;
/// Number of clients below which a warning is printed.
const FEW_CLIENTS: usize = 64;
/// Time between two readings of this machine's addresses.
const INTERFACES: Duration = Duration::from_secs(3);

/// Signals that the program handles. SIGXFSZ, sent for a write beyond the limit of file sizes,
/// would end the process; while it is blocked, the write fails instead.
const SIGNALS: &[i32] =
    &[libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGXFSZ];

impl Program {
    /// Opens what the proxy needs, prints the banner, and starts the threads that write.
    pub(super) fn start(
        (args, options): (RunArgs, Options),
        settings: Settings,
        identity: Option<Identity>,
        secret: Secret,
        launch: Launch,
    ) -> io::Result<(Self, Reactor<Mail>)> {
        let Launch { mut inherited, overseer } = launch;
        let took_over = if overseer.is_supervisor() { None } else { make_room(&options) };
        let descriptors = raise_descriptor_limit()?;
        let clients = clients_for(descriptors);
        let mut reactor = Reactor::new()?;
        // Must precede all threads, so that none of them takes a signal.
        reactor.watch_signals(SIGNALS)?;
        let known = addresses_of_this_machine(&settings)?;
        let output = Output::open(options.log.output(&options.access_log))?;
        let notices = Notices::new(overseer.mark());
        let waiting = usize::try_from(settings.limits.log_buffer.0).unwrap_or(usize::MAX);
        let log = Outlet::new("the access log", waiting, Some(notices.outlet()));
        let shipped = options.log.ship.settings(&options.tls).map_err(io::Error::other)?;
        let shipped = shipped.map(Prepared::new).transpose()?;
        let ship = shipped.as_ref().map(|_| Shipping::new(waiting));
        let sink = Box::new(LogWriter { outlet: log.clone(), ship: ship.clone() });
        let surroundings = surroundings(&options, &reactor, sink, known.clone(), &secret);
        let mut worker = Worker::new(settings, surroundings, clients);
        let listening = listen(&mut worker, &mut reactor, &options, &mut inherited)?;
        let addresses: Vec<SocketAddr> = listening.iter().filter_map(Listening::address).collect();
        if let Ok(figures) = OwnFigures::open(reactor.now().wall) {
            worker.set_process_probe(Box::new(figures));
        }
        worker.offer_reloads();
        if overseer.is_supervisor() {
            worker.offer_upgrades();
        }
        let mut warnings = Vec::new();
        if let Some(acme) = worker.settings().acme.clone() {
            let now = reactor.now().wall;
            let folder = options.acme.folder.as_deref().unwrap_or(Path::new(""));
            let lock = match inherited.take(&acme_key(folder)) {
                Some(lock) => lock.into(),
                None => reserve(folder)?,
            };
            let (certifier, unusable) = certifier(&acme, (&options, lock), reactor.mailbox(), now)?;
            worker.certify(certifier, &mut reactor);
            warnings = unusable;
        }
        let (mailbox, now) = (reactor.mailbox(), reactor.now());
        let bans = BanStore::open(&options, &mut worker, mailbox, now)?;
        let port = addresses.first().map_or(0, SocketAddr::port);
        let operating =
            Operating::open(&mut worker, &mut reactor, (&options, port), &mut inherited)?;
        let asked = (&args, &options, &**worker.settings());
        let opened = (&output, &operating, shipped.as_ref());
        let (rights, given_up) = Rights::give_up(identity, asked, opened)?;

        notices.start()?;
        log.start(output)?;
        if let Some((ship, shipped)) = ship.as_ref().zip(shipped) {
            ship.start(shipped, notices.clone())?;
        }
        let watch = known.map(|known| {
            InterfaceWatch::start(known, INTERFACES, reactor.mailbox(), Mail::Addresses)
        });
        let mut said = Vec::from_iter(took_over);
        said.extend(few_clients(descriptors, clients));
        said.push(banner(&options, worker.settings(), &listening, operating.explain.as_deref()));
        let in_clear: Vec<_> = listening.iter().filter_map(Listening::in_clear).collect();
        said.extend(auth_warnings(worker.settings(), &in_clear));
        said.extend(options.tls.warnings(worker.settings().server_tls.as_deref()));
        said.extend(warnings);
        said.extend(operating.lines);
        said.extend(given_up);
        said.extend(options.log.ship.lines());
        said.extend(listening.iter().map(|listening| format!("listening {}", listening.place)));
        said.iter().for_each(|line| notices.announce(line));
        overseer.listen(reactor.mailbox())?;
        let mut program = Self {
            worker,
            args: Arc::new(args),
            options: Arc::new(options),
            in_clear: in_clear.into(),
            notices,
            log,
            ship,
            reloading: Reloader::new(reactor.mailbox()),
            heap: Heap::new(reactor.mailbox()),
            pseudonym: secret.pseudonym.into(),
            rights: Arc::new(rights),
            certificates: None,
            places: None,
            disks: None,
            bans,
            pulse: Pulse::begin(&overseer, &mut reactor),
            overseer,
            upgrade: None,
            interrupted: false,
            lost: None,
            _watch: watch.transpose()?,
        };
        program.watch_files(&reactor);
        let log = program.options.access_log.clone();
        program.watch_disks(&log, &reactor);
        program.overseer.ready();
        Ok((program, reactor))
    }
}

/// Opens all listeners, as far as they are not inherited.
fn listen(
    worker: &mut Worker,
    reactor: &mut Reactor<Mail>,
    options: &Options,
    inherited: &mut Inherited,
) -> io::Result<Vec<Listening>> {
    let all = options.listeners();
    let addresses = options.addresses();
    let open = |PlannedListener { place, settings }| {
        let failed =
            |error: io::Error| io::Error::other(format!("cannot listen on {place}: {error}"));
        let opened = inherited.take(&listener_key(&place));
        match &place {
            ListenPlace::Address(address) => {
                let endpoint = endpoint(*address, &addresses);
                let bound = match opened {
                    Some(socket) => worker.listen_on_as(settings, reactor, socket.into()),
                    None => worker.listen_as(settings, reactor, endpoint),
                };
                Ok(Listening::at(endpoint, bound.map_err(failed)?, settings))
            }
            ListenPlace::Local(path, mode) => {
                let at = LocalOptions { mode: *mode, ..LocalOptions::default() };
                let listens = match opened {
                    Some(socket) => worker.listen_local_on(settings, reactor, socket.into()),
                    None => worker.listen_local(settings, reactor, (path, at)),
                };
                listens.map_err(failed)?;
                Ok(Listening::local(place, settings))
            }
        }
    };
    all.into_iter().map(open).collect()
}

/// Returns the number of clients for which the descriptors suffice: each may need a second one for
/// its origin.
fn clients_for(descriptors: u64) -> usize {
    let pairs = descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2;
    usize::try_from(pairs.max(1)).unwrap_or(usize::MAX)
}

/// Returns a warning if the descriptors suffice for few clients only.
fn few_clients(descriptors: u64, clients: usize) -> Vec<String> {
    let few = format!(
        "RLIMIT_NOFILE is {descriptors}: enough for {clients} clients only; raise it (ulimit -n)"
    );
    (clients < FEW_CLIENTS).then_some(few).into_iter().collect()
}
