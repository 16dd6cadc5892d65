//! The connector to a Unix socket, simulated and in the file system.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Fate, Faults, Network};
use tidegate::reactor::{
    Accepted, Listener, LocalConnector, LocalOptions, Reactor, SocketId, Token, VirtualClock,
    WakeReason,
};

use crate::support::{Folder, Host, Log, millis, sim_log, tcp_log, tcp_reactor, tokens};

const TIMEOUT: Duration = millis(2000);
const PAUSE: Duration = millis(10);

/// A client that is about to connect to a server, whose backlog takes two connections.
struct Scene {
    clock: VirtualClock,
    client: Host<Log>,
    server: Host<Log>,
    listener: Listener,
    path: PathBuf,
    owner: Token,
    connector: LocalConnector,
}

impl Scene {
    fn new(clock: VirtualClock, client: Host<Log>, mut server: Host<Log>, path: &Path) -> Self {
        let [gate, owner] = tokens();
        let options = LocalOptions { backlog: 1, ..LocalOptions::default() };
        let listener = Listener::bind_local_with(&mut server.reactor, path, options, gate).unwrap();
        let connector = LocalConnector::new(owner, path, client.reactor.now().mono, TIMEOUT);
        Self { clock, client, server, listener, path: path.to_owned(), owner, connector }
    }

    fn simulated() -> (Network, Self) {
        let network = Network::new(0);
        let hosts = [1, 2].map(|last| sim_log(&network, last, Faults::NONE));
        let [client, server] = hosts;
        let scene = Self::new(network.clock(), client, server, Path::new("/run/origin"));
        (network, scene)
    }

    /// Returns a scene in a folder, which has virtual time as well.
    fn in_folder(folder: &Folder) -> Self {
        let clock = VirtualClock::default();
        let client = Host::new(tcp_reactor(&clock), Log::default());
        Self::new(clock, client, tcp_log(), &folder.0.join("s"))
    }

    fn drive(&mut self) -> Poll<io::Result<SocketId>> {
        self.connector.drive(&mut self.client.reactor)
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.client.turn();
    }

    /// Drives the connector until it finishes without time passing.
    fn outcome(&mut self) -> io::Result<SocketId> {
        let mut outcome = self.drive();
        let Self { client, connector, .. } = self;
        client.turn_until(|client| {
            if outcome.is_pending() {
                outcome = connector.drive(&mut client.reactor);
            }
            outcome.is_ready()
        });
        match outcome {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => unreachable!("the outcome is ready"),
        }
    }

    /// Fills the backlog with connections of other objects.
    fn fill_backlog(&mut self) {
        let [other] = tokens();
        for _ in 0..2 {
            self.client.reactor.connect_local(&self.path, other).unwrap();
            self.client.turn();
            self.server.turn();
        }
        let full = self.client.reactor.connect_local(&self.path, other).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        assert_eq!(self.client.reactor.open_sockets(), 2);
    }

    fn accept(&mut self) {
        let Self { server, listener, .. } = self;
        let mut accepted = Vec::new();
        server.turn_until(|server| {
            !matches!(listener.accept(&mut server.reactor, 9, &mut accepted), Accepted::Drained)
                || !accepted.is_empty()
        });
        for (io, address) in accepted {
            let local = server.reactor.local_address(io).unwrap();
            assert!(address.ip().is_unspecified() && address.port() == 0);
            assert_eq!(local, address, "neither side has an address");
        }
    }

    fn expect_connected(&mut self) {
        assert!(self.drive().is_pending());
        assert_eq!(self.connector.next_deadline(), self.client.reactor.now().mono + TIMEOUT);
        self.client.app.driven.clear();
        let io = self.outcome().unwrap();
        assert_eq!(self.client.app.driven, [(self.owner, WakeReason::READY)]);
        assert!(self.client.reactor.local_address(io).unwrap().ip().is_unspecified());
        self.accept();
    }

    fn expect_retries_while_the_backlog_is_full(&mut self) {
        self.fill_backlog();
        for _ in 0..3 {
            assert!(self.drive().is_pending());
            assert_eq!(self.connector.next_deadline(), self.client.reactor.now().mono + PAUSE);
            assert_eq!(self.client.reactor.open_sockets(), 2, "no socket is kept meanwhile");
            self.advance(PAUSE);
        }
        self.accept();
        let io = self.outcome().unwrap();
        self.client.reactor.close(io);
        assert_eq!(self.client.reactor.open_sockets(), 2);
    }

    fn expect_time_out_of_a_full_backlog(&mut self) {
        self.fill_backlog();
        let start = self.client.reactor.now().mono;
        let error = loop {
            match self.drive() {
                Poll::Ready(outcome) => break outcome.unwrap_err(),
                Poll::Pending => {
                    let now = self.client.reactor.now().mono;
                    self.advance(self.connector.next_deadline() - now);
                }
            }
        };
        assert_eq!(self.client.reactor.now().mono - start, TIMEOUT);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("backlog was full"), "{error}");
        assert_eq!(self.client.reactor.open_sockets(), 2);
    }
}

#[test]
fn connector_reaches_a_unix_socket() {
    Scene::simulated().1.expect_connected();
    Scene::in_folder(&Folder::new("reach")).expect_connected();
}

#[test]
fn connector_retries_while_the_backlog_is_full() {
    Scene::simulated().1.expect_retries_while_the_backlog_is_full();
    Scene::in_folder(&Folder::new("retry")).expect_retries_while_the_backlog_is_full();
}

#[test]
fn connector_times_out_if_the_backlog_stays_full() {
    Scene::simulated().1.expect_time_out_of_a_full_backlog();
    Scene::in_folder(&Folder::new("full")).expect_time_out_of_a_full_backlog();
}

#[test]
fn path_without_a_listener_fails_at_once() {
    let fails = |reactor: &mut Reactor<()>, path: &Path, kind| {
        let [owner] = tokens();
        let mut connector = LocalConnector::new(owner, path, reactor.now().mono, TIMEOUT);
        let Poll::Ready(outcome) = connector.drive(reactor) else { panic!("pending") };
        assert_eq!(outcome.unwrap_err().kind(), kind);
        assert_eq!(reactor.open_sockets(), 0);
    };
    let (_, mut scene) = Scene::simulated();
    scene.listener.close(&mut scene.server.reactor);
    fails(&mut scene.client.reactor, &scene.path, ErrorKind::NotFound);

    let folder = Folder::new("none");
    let path = folder.0.join("s");
    let mut client = tcp_log();
    fails(&mut client.reactor, &path, ErrorKind::NotFound);
    drop(UnixListener::bind(&path).unwrap()); // leaves its file behind
    fails(&mut client.reactor, &path, ErrorKind::ConnectionRefused);
}

#[test]
fn refusal_and_silence_are_simulated() {
    let (network, mut scene) = Scene::simulated();
    network.set_local_fate(&scene.path, Fate::Refuse);
    assert_eq!(scene.outcome().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(scene.client.reactor.open_sockets(), 0);

    let (network, mut scene) = Scene::simulated();
    network.set_local_fate(&scene.path, Fate::Silence);
    assert!(scene.drive().is_pending());
    scene.advance(TIMEOUT - millis(1));
    assert!(scene.drive().is_pending());
    assert_eq!(scene.client.reactor.open_sockets(), 1);
    scene.advance(millis(1));
    let Poll::Ready(Err(error)) = scene.drive() else { panic!("no time-out") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(scene.client.reactor.open_sockets(), 0);
}

#[test]
fn cancelled_connector_closes_its_socket() {
    let (network, mut scene) = Scene::simulated();
    network.set_local_fate(&scene.path, Fate::Silence);
    assert!(scene.drive().is_pending());
    scene.connector.cancel(&mut scene.client.reactor);
    assert_eq!(scene.client.reactor.open_sockets(), 0);
    scene.connector.cancel(&mut scene.client.reactor);
}

#[test]
fn attempt_delayed_by_a_late_loop_gets_its_time() {
    let (network, mut scene) = Scene::simulated();
    network.set_local_fate(&scene.path, Fate::Answer(TIMEOUT - millis(1)));
    scene.advance(TIMEOUT * 3);
    assert!(scene.drive().is_pending());
    assert_eq!(scene.connector.next_deadline(), scene.client.reactor.now().mono + TIMEOUT);
    scene.advance(TIMEOUT - millis(1));
    scene.client.turn();
    assert!(matches!(scene.drive(), Poll::Ready(Ok(_))));

    let (_, mut scene) = Scene::simulated();
    let now = scene.client.reactor.now().mono;
    scene.connector = LocalConnector::new(scene.owner, &scene.path, now, Duration::ZERO);
    let Poll::Ready(Err(error)) = scene.drive() else { panic!("no time-out") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
