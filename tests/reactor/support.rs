//! Shared helpers: recording programs, hosts turned together, and bounded waiting.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    App, Arena, Driven, Event, Reactor, SocketId, TcpTransport, Token, Turn, VirtualClock,
    WakeReason,
};

/// A temporary folder, removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Writes or replaces a file by a rename, as editors do.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.join(name), self.0.join("new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An object to drive; its kind does not matter.
pub(crate) struct Thing;

impl Driven for Thing {
    const KIND: u8 = 0;
}

/// Returns the tokens of `N` objects.
pub(crate) fn tokens<const N: usize>() -> [Token; N] {
    let mut arena = Arena::new();
    std::array::from_fn(|_| arena.insert(Thing).token())
}

/// A program that only records events.
#[derive(Debug)]
pub(crate) struct Log<M = ()> {
    pub(crate) driven: Vec<(Token, WakeReason)>,
    pub(crate) mail: Vec<M>,
    pub(crate) signals: Vec<i32>,
}

impl<M> Default for Log<M> {
    fn default() -> Self {
        Self { driven: Vec::new(), mail: Vec::new(), signals: Vec::new() }
    }
}

impl<M: Send + 'static> App for Log<M> {
    type Mail = M;

    fn handle(&mut self, _: &mut Reactor<M>, event: Event<M>) {
        match event {
            Event::Drive(token, why) => self.driven.push((token, why)),
            Event::Mail(mail) => self.mail.push(mail),
            Event::Signal(signal) => self.signals.push(signal),
        }
    }
}

/// A program of one function, called for each drive.
pub(crate) struct FnApp<F>(pub(crate) F);

impl<F: FnMut(&mut Reactor<()>, Token, WakeReason)> App for FnApp<F> {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        if let Event::Drive(token, why) = event {
            (self.0)(reactor, token, why);
        }
    }
}

/// A reactor and the program that runs on it.
pub(crate) struct Host<A: App> {
    pub(crate) reactor: Reactor<A::Mail>,
    pub(crate) app: A,
}

impl<A: App> Host<A> {
    pub(crate) const fn new(reactor: Reactor<A::Mail>, app: A) -> Self {
        Self { reactor, app }
    }

    /// Runs a turn that does not wait.
    pub(crate) fn turn(&mut self) -> Turn {
        self.reactor.turn(&mut self.app, Some(Duration::ZERO)).unwrap()
    }

    /// Turns until `done` returns true, on a network that takes real time. Fails rather than hangs.
    pub(crate) fn turn_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..PATIENCE {
            if done(self) {
                return;
            }
            self.reactor.turn(&mut self.app, Some(MOMENT)).unwrap();
        }
        panic!("the condition was not met in time");
    }
}

impl<M: Send + 'static> Host<Log<M>> {
    /// Runs one turn; returns the drives in it.
    pub(crate) fn drives(&mut self) -> Vec<(Token, WakeReason)> {
        self.app.driven.clear();
        self.turn();
        self.app.driven.clone()
    }
}

/// Number and length of the waits for the kernel on real sockets.
const PATIENCE: u32 = 5000;
const MOMENT: Duration = Duration::from_millis(1);

/// Longer than any expected event takes.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Hosts of different programs that are turned together.
pub(crate) trait Turns {
    fn turn_now(&mut self) -> Turn;
    fn wait(&mut self);
    fn next_deadline(&self) -> Option<Instant>;
}

impl<A: App> Turns for Host<A> {
    fn turn_now(&mut self) -> Turn {
        self.turn()
    }

    fn wait(&mut self) {
        self.reactor.turn(&mut self.app, Some(MOMENT)).unwrap();
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.reactor.next_deadline()
    }
}

/// Turns all hosts until all are idle.
pub(crate) fn settle(hosts: &mut [&mut dyn Turns]) {
    for _ in 0..1_000_000 {
        let turns: Vec<Turn> = hosts.iter_mut().map(|host| host.turn_now()).collect();
        if turns.iter().all(Turn::is_idle) {
            return;
        }
    }
    panic!("the hosts keep each other busy");
}

/// Turns the hosts of a simulated network and advances its clock until no event is left.
pub(crate) fn simulate(network: &Network, hosts: &mut [&mut dyn Turns]) {
    for _ in 0..1_000_000 {
        settle(hosts);
        let deadlines = hosts.iter().filter_map(|host| host.next_deadline());
        let Some(next) = deadlines.chain(network.next_arrival()).min() else { return };
        network.clock().advance_to(next);
    }
    panic!("the simulation does not end");
}

/// Turns two hosts on loopback alternately until `done` returns true. When both are idle, it waits
/// for bytes in flight in the kernel.
pub(crate) fn exchange<A: App, B: App>(
    a: &mut Host<A>,
    b: &mut Host<B>,
    done: impl Fn(&A, &B) -> bool,
) {
    for _ in 0..PATIENCE {
        settle(&mut [a, b]);
        if done(&a.app, &b.app) {
            return;
        }
        a.wait();
    }
    panic!("the exchange has stalled");
}

/// Creates a host on loopback with a clock of its own and a recording program.
pub(crate) fn tcp_log() -> Host<Log> {
    Host::new(tcp_reactor(&VirtualClock::default()), Log::default())
}

pub(crate) fn tcp_reactor<M>(clock: &VirtualClock) -> Reactor<M> {
    Reactor::with(Box::new(TcpTransport::new().unwrap()), Box::new(clock.clone()))
}

/// Creates a host of a simulated network with a recording program.
pub(crate) fn sim_log(network: &Network, last: u8, faults: Faults) -> Host<Log> {
    Host::new(network.reactor(address(last, 0).ip(), faults), Log::default())
}

/// Returns an address of the simulated network (RFC 5737).
pub(crate) const fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port)
}

/// An unused port of the loopback address.
pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Returns the result of an operation that must be ready.
#[track_caller]
pub(crate) fn ready<T>(poll: Poll<std::io::Result<T>>) -> T {
    match poll {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("the operation would block"),
    }
}

/// Reads once, up to `room` bytes.
pub(crate) fn read<M>(
    reactor: &mut Reactor<M>,
    io: SocketId,
    room: usize,
) -> Poll<std::io::Result<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(room);
    reactor.recv(io, &mut bytes).map_ok(|_| bytes)
}

/// Writes all of `bytes`, which must fit.
#[track_caller]
pub(crate) fn write<M>(reactor: &mut Reactor<M>, io: SocketId, bytes: &[u8]) {
    let sent = ready(reactor.send(io, &[std::io::IoSlice::new(bytes)]));
    assert_eq!(sent, bytes.len());
}
