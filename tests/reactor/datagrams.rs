//! Datagrams on loopback and in the simulation.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Poll;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{Reactor, Ready, SocketId};

use crate::support::{
    LOOPBACK, address, millis, ready, settle, sim_log, simulate, tcp_log, tokens,
};

/// Receives the next datagram and its source, if one is available.
fn received<M>(reactor: &mut Reactor<M>, io: SocketId) -> Option<(Vec<u8>, SocketAddr)> {
    let mut bytes = Vec::with_capacity(100);
    match reactor.recv_datagram(io, &mut bytes) {
        Poll::Pending => None,
        Poll::Ready(from) => Some((bytes, from.unwrap())),
    }
}

#[test]
fn loopback_datagrams_arrive_complete_and_only_from_the_peer() {
    let mut host = tcp_log();
    let [owner] = tokens();
    let server = host.reactor.bind_datagrams(LOOPBACK, owner).unwrap();
    let at = host.reactor.local_address(server).unwrap();
    let client = host.reactor.connect_datagrams(at, owner).unwrap();
    let stranger = host.reactor.bind_datagrams(LOOPBACK, owner).unwrap();
    let here = host.reactor.local_address(client).unwrap();
    ready(host.reactor.send_datagram(client, b"one", None));
    ready(host.reactor.send_datagram(client, b"", None));
    let mut heard = Vec::new();
    host.turn_until(|host| {
        heard.extend(received(&mut host.reactor, server));
        heard.len() == 2
    });
    assert_eq!(heard, [(b"one".to_vec(), here), (Vec::new(), here)]);
    ready(host.reactor.send_datagram(stranger, b"forged", Some(here)));
    ready(host.reactor.send_datagram(server, b"two", Some(here)));
    host.turn_until(|host| {
        heard.extend(received(&mut host.reactor, client));
        heard.len() == 3
    });
    assert_eq!(heard[2], (b"two".to_vec(), at), "the kernel drops datagrams of other sources");
}

#[test]
fn loopback_datagrams_report_an_unreachable_port() {
    let mut host = tcp_log();
    let [owner] = tokens();
    let gone = host.reactor.bind_datagrams(LOOPBACK, owner).unwrap();
    let at = host.reactor.local_address(gone).unwrap();
    host.reactor.close(gone);
    let client = host.reactor.connect_datagrams(at, owner).unwrap();
    ready(host.reactor.send_datagram(client, b"hello?", None));
    host.turn_until(|host| {
        match host.reactor.recv_datagram(client, &mut Vec::with_capacity(100)) {
            Poll::Pending => false,
            Poll::Ready(outcome) => {
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
                true
            }
        }
    });
}

#[test]
fn connected_datagram_sockets_use_unpredictable_ports() {
    let mut host = tcp_log();
    let [owner] = tokens();
    let server = host.reactor.bind_datagrams(LOOPBACK, owner).unwrap();
    let at = host.reactor.local_address(server).unwrap();
    let ports = [(); 16].map(|()| {
        let io = host.reactor.connect_datagrams(at, owner).unwrap();
        host.reactor.local_address(io).unwrap().port()
    });
    let steps: Vec<i32> =
        ports.windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0])).collect();
    assert!(steps.windows(2).any(|pair| pair[0] != pair[1]), "ports are not sequential: {ports:?}");
}

#[test]
fn simulated_datagrams_are_lost_duplicated_and_reordered() {
    let network = Network::new(5);
    let bad = Faults {
        lost: 20,
        doubled: 20,
        latency: millis(1)..millis(50),
        would_block: 0,
        ..Faults::SOME
    };
    let (mut a, mut b) = (sim_log(&network, 1, Faults::NONE), sim_log(&network, 2, bad));
    let [owner] = tokens();
    let server = a.reactor.bind_datagrams(address(1, 53), owner).unwrap();
    let client = b.reactor.connect_datagrams(address(1, 53), owner).unwrap();
    (0..50).for_each(|n| ready(b.reactor.send_datagram(client, &[n], None)));
    simulate(&network, &mut [&mut a, &mut b]);
    let heard: Vec<u8> = std::iter::from_fn(|| received(&mut a.reactor, server))
        .map(|(bytes, _)| bytes[0])
        .collect();
    let count = |n: &u8| heard.iter().filter(|other| *other == n).count();
    assert!((0..50).any(|n| count(&n) == 0), "some datagrams are lost");
    assert!((0..50).any(|n| count(&n) == 2), "some datagrams are duplicated");
    assert!(!heard.is_sorted(), "datagrams are reordered");
    assert!(heard.len() > 30, "most datagrams arrive");
}

#[test]
fn simulation_delivers_a_forged_source_and_drops_a_wrong_one() {
    let network = Network::new(0);
    let mut host = sim_log(&network, 2, Faults::NONE);
    let [owner] = tokens();
    let client = host.reactor.connect_datagrams(address(1, 53), owner).unwrap();
    let here = host.reactor.local_address(client).unwrap();
    network.forge(address(9, 53), here, b"wrong", millis(0));
    network.forge(address(1, 53), here, b"forged", millis(0));
    settle(&mut [&mut host]);
    assert_eq!(received(&mut host.reactor, client), Some((b"forged".to_vec(), address(1, 53))));
    assert_eq!(received(&mut host.reactor, client), None);
    ready(host.reactor.send_datagram(client, b"hello?", None));
    settle(&mut [&mut host]);
    assert!(host.reactor.ready(client).contains(Ready::ERROR), "the port is unreachable");
}
