//! Accepting connections: in batches, up to a limit, and with a lack of descriptors.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::task::Poll;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    Accepted, Endpoint, Listener, Reactor, SocketId, TcpTransport, Token, VirtualClock, WakeReason,
};

use crate::nameless::Nameless;
use crate::support::{Host, LOOPBACK, Log, address, millis, read, sim_log, tcp_log, tokens};

/// A simulated server with a listener, and a client.
struct Scene {
    network: Network,
    server: Host<Log>,
    client: Host<Log>,
    listener: Listener,
    gate: Token,
    accepted: Vec<(SocketId, SocketAddr)>,
}

impl Scene {
    fn new(faults: Faults) -> Self {
        let network = Network::new(0);
        let mut server = sim_log(&network, 1, faults);
        let client = sim_log(&network, 2, Faults::NONE);
        let [gate] = tokens();
        let listener = Listener::bind(&mut server.reactor, address(1, 80), gate).unwrap();
        Self { network, server, client, listener, gate, accepted: Vec::new() }
    }

    /// Connects this many clients; returns the drives on the server that follow.
    fn connect(&mut self, count: usize) -> Vec<(Token, WakeReason)> {
        for _ in 0..count {
            self.client.reactor.connect(address(1, 80), self.gate).unwrap();
        }
        self.server.drives()
    }

    fn accept(&mut self, room: usize) -> Accepted {
        let accepted = self.listener.accept(&mut self.server.reactor, room, &mut self.accepted);
        let deadline = self.listener.next_deadline();
        self.server.reactor.set_deadline(self.gate, deadline);
        accepted
    }

    /// Closes one of the accepted connections.
    fn close_one(&mut self) {
        let (io, _) = self.accepted.pop().unwrap();
        self.server.reactor.close(io);
    }
}

#[test]
fn long_backlog_is_accepted_in_batches_of_64_a_turn() {
    let mut scene = Scene::new(Faults::NONE);
    assert_eq!(scene.connect(150), [(scene.gate, WakeReason::READY)]);
    assert!(matches!(scene.accept(1000), Accepted::More));
    assert_eq!(scene.accepted.len(), 64);
    assert_eq!(scene.server.drives(), [(scene.gate, WakeReason::WAKE)]);
    assert!(matches!(scene.accept(1000), Accepted::More));
    assert_eq!(scene.accepted.len(), 128);
    assert_eq!(scene.server.drives(), [(scene.gate, WakeReason::WAKE)]);
    assert!(matches!(scene.accept(1000), Accepted::Drained));
    assert_eq!(scene.accepted.len(), 150);
    assert_eq!(scene.server.drives(), []);
}

#[test]
fn full_listener_accepts_again_after_resume() {
    let mut scene = Scene::new(Faults::NONE);
    scene.connect(5);
    assert!(matches!(scene.accept(3), Accepted::Full));
    assert_eq!(scene.accepted.len(), 3);
    scene.close_one();
    assert!(matches!(scene.accept(3), Accepted::Full), "the listener accepts only after `resume`");
    assert_eq!(scene.accepted.len(), 2);
    assert_eq!(scene.connect(1), [], "a new client waits as well");
    scene.listener.resume(&mut scene.server.reactor);
    assert_eq!(scene.server.drives(), [(scene.gate, WakeReason::WAKE)]);
    assert!(matches!(scene.accept(10), Accepted::Drained));
    assert_eq!(scene.accepted.len(), 6 - 1);
    scene.listener.resume(&mut scene.server.reactor);
    assert_eq!(scene.server.drives(), [], "the listener was not full");
    assert_eq!(scene.connect(1), [(scene.gate, WakeReason::READY)]);
}

#[test]
fn room_limits_new_connections_not_open_ones() {
    let mut scene = Scene::new(Faults::NONE);
    scene.connect(3);
    assert!(matches!(scene.accept(2), Accepted::Full));
    scene.listener.resume(&mut scene.server.reactor);
    assert!(matches!(scene.accept(2), Accepted::Drained));
    assert_eq!(scene.accepted.len(), 3);
}

#[test]
fn lack_of_descriptors_pauses_accepting_for_100_ms() {
    let mut scene = Scene::new(Faults { sockets: 3, ..Faults::NONE });
    let start = scene.server.reactor.now().mono;
    scene.connect(4);
    let Accepted::Exhausted(error) = scene.accept(10) else { panic!("no lack of descriptors") };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    assert_eq!(scene.accepted.len(), 2, "two descriptors are left beside the listener");
    assert_eq!(scene.listener.next_deadline(), Some(start + millis(100)));

    scene.close_one();
    scene.network.advance(millis(99));
    assert_eq!(scene.server.drives(), []);
    assert!(
        matches!(scene.accept(10), Accepted::Drained),
        "a drive during the pause accepts nothing"
    );
    assert_eq!(scene.accepted.len(), 1);

    scene.network.advance(millis(1));
    assert_eq!(scene.server.drives(), [(scene.gate, WakeReason::TIMER)]);
    assert!(matches!(scene.accept(10), Accepted::Exhausted(_)), "one more connection was accepted");
    assert_eq!(scene.accepted.len(), 2);

    scene.close_one();
    scene.close_one();
    scene.network.advance(millis(100));
    assert_eq!(scene.server.drives(), [(scene.gate, WakeReason::TIMER)]);
    assert!(matches!(scene.accept(10), Accepted::Drained));
    assert_eq!(scene.accepted.len(), 1);
}

#[test]
fn failed_listener_is_retried_by_timer_only() {
    let opened = TcpListener::bind(LOOPBACK).unwrap();
    let mut host = tcp_log();
    let [gate] = tokens();
    let shared = opened.try_clone().unwrap();
    let mut listener = Listener::adopt(&mut host.reactor, shared, gate).unwrap();
    shut_down(&opened);
    host.turn_until(|host| !host.app.driven.is_empty());
    let accepted = listener.accept(&mut host.reactor, 10, &mut Vec::new());
    assert!(matches!(accepted, Accepted::Failed(_)), "{accepted:?}");
    assert_eq!(listener.next_deadline(), Some(host.reactor.now().mono + millis(100)));
    assert_eq!(host.drives(), [], "the listener does not keep the loop busy");
}

#[expect(unsafe_code, reason = "the standard library does not offer this for listeners")]
fn shut_down(listener: &TcpListener) {
    // SAFETY: the descriptor belongs to `listener`, so it is open.
    assert_eq!(unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) }, 0);
}

#[test]
fn closed_listener_resets_waiting_clients_and_refuses_new_ones() {
    let mut scene = Scene::new(Faults::NONE);
    let [owner] = tokens();
    let waiting = scene.client.reactor.connect(address(1, 80), owner).unwrap();
    scene.server.turn();
    scene.client.turn();
    assert!(matches!(scene.client.reactor.connected(waiting), Poll::Ready(Ok(()))));
    scene.listener.close(&mut scene.server.reactor);
    assert_eq!(scene.server.reactor.open_sockets(), 0);
    let late = scene.client.reactor.connect(address(1, 80), owner).unwrap();
    scene.client.turn();
    let Poll::Ready(Err(reset)) = read(&mut scene.client.reactor, waiting, 10) else { panic!() };
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let Poll::Ready(Err(refused)) = scene.client.reactor.connected(late) else { panic!() };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn listener_without_a_readable_address_is_closed() {
    let transport = Box::new(Nameless(TcpTransport::new().unwrap()));
    let mut reactor: Reactor<()> = Reactor::with(transport, Box::new(VirtualClock::default()));
    let [gate] = tokens();
    let error = Listener::bind(&mut reactor, LOOPBACK, gate).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(reactor.open_sockets(), 0);
}

#[test]
fn two_listeners_cannot_share_an_address() {
    let mut host = tcp_log();
    let [gate] = tokens();
    let first = Listener::bind(&mut host.reactor, LOOPBACK, gate).unwrap();
    assert_ne!(first.address().port(), 0, "the system chose a port");
    let error = Listener::bind(&mut host.reactor, first.address(), gate).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(host.reactor.open_sockets(), 1);
}

/// Returns the address of an IPv4 client as a listener reports it; `None` if the listener takes no
/// IPv4.
fn peer_of_ipv4(endpoint: Endpoint) -> Option<IpAddr> {
    let mut host = tcp_log();
    let [gate] = tokens();
    let mut listener = Listener::bind(&mut host.reactor, endpoint, gate).unwrap();
    let port = listener.address().port();
    let _client = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut accepted = Vec::new();
    host.turn_until(|host| {
        listener.accept(&mut host.reactor, 1, &mut accepted);
        !accepted.is_empty()
    });
    listener.close(&mut host.reactor);
    Some(accepted[0].1.ip())
}

#[test]
fn listener_on_all_addresses_takes_ipv4_and_one_on_ipv6_does_not() {
    let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
    assert_eq!(peer_of_ipv4(Endpoint::Everywhere(0)), Some(mapped));
    let unspecified = SocketAddr::new("::".parse().unwrap(), 0);
    assert_eq!(peer_of_ipv4(unspecified.into()), None);
}

#[test]
fn listeners_of_each_family_share_a_port_but_not_with_all_addresses() {
    let mut host = tcp_log();
    let [gate] = tokens();
    let bind = |host: &mut Host<Log>, endpoint| Listener::bind(&mut host.reactor, endpoint, gate);
    let ipv4 = bind(&mut host, Endpoint::Address(LOOPBACK)).unwrap();
    let port = ipv4.address().port();
    let ipv6 = Endpoint::Address(SocketAddr::new("::".parse().unwrap(), port));
    assert!(bind(&mut host, ipv6).is_ok());
    let taken = bind(&mut host, Endpoint::Everywhere(port)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}
