//! The simulated network: guarantees that tests rely on.

use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Fate, Faults, Network};
use tidegate::reactor::{Clock, Ready, SocketId};

use crate::stations::Station;
use crate::support::{
    Host, Log, address, millis, read, ready, settle, sim_log, simulate, tokens, write,
};

/// Returns two hosts with one connection between them.
fn pair(network: &Network, a: Faults, b: Faults) -> (Host<Log>, SocketId, Host<Log>, SocketId) {
    let (mut a, mut b) = (sim_log(network, 1, a), sim_log(network, 2, b));
    let [owner] = tokens();
    let listener = a.reactor.listen(address(1, 80), owner).unwrap();
    let out = b.reactor.connect(address(1, 80), owner).unwrap();
    simulate(network, &mut [&mut a, &mut b]);
    let (io, from) = ready(a.reactor.accept(listener));
    assert_eq!(from, b.reactor.local_address(out).unwrap());
    a.reactor.set_owner(io, owner);
    a.reactor.close(listener);
    settle(&mut [&mut a, &mut b]);
    (a, io, b, out)
}

#[test]
fn seed_determines_the_history() {
    let history = |seed| {
        let network = Network::new(seed);
        let host = |last| {
            let reactor = network.reactor(address(last, 0).ip(), Faults::SOME);
            Host::new(reactor, Station::new(network.fork_rng()))
        };
        let (mut a, mut b) = (host(1), host(2));
        a.app.listen(&mut a.reactor, address(1, 7));
        (0..3).for_each(|n| b.app.call(&mut b.reactor, address(1, 7), vec![n; 10_000]));
        let start = network.clock().now();
        let mut turns = Vec::new();
        while b.app.heard.len() < 3 {
            turns.push((a.turn(), b.turn(), network.clock().now().mono - start.mono));
            network.advance(Duration::from_micros(100));
        }
        turns
    };
    let first = history(1);
    assert!(first == history(1));
    assert!(first != history(2));
}

#[test]
fn sent_bytes_are_delayed_by_the_latency_and_keep_their_order() {
    let network = Network::new(3);
    let late = Faults { latency: millis(10)..millis(50), ..Faults::NONE };
    let (mut a, io, mut b, out) = pair(&network, Faults::NONE, late);
    write(&mut b.reactor, out, b"one ");
    write(&mut b.reactor, out, b"two ");
    write(&mut b.reactor, out, b"three");
    network.advance(millis(9));
    a.turn();
    assert!(read(&mut a.reactor, io, 100).is_pending());
    network.advance(millis(41));
    a.turn();
    assert_eq!(ready(read(&mut a.reactor, io, 100)), b"one two three");
}

#[test]
fn connection_holds_no_more_than_its_window() {
    let network = Network::new(0);
    let narrow = Faults { window: 1000..1001, ..Faults::NONE };
    let (mut a, io, mut b, out) = pair(&network, narrow, Faults::NONE);
    let send = |b: &mut Host<Log>| b.reactor.send(out, &[std::io::IoSlice::new(&[0; 1500])]);
    assert_eq!(ready(send(&mut b)), 1000);
    assert!(send(&mut b).is_pending());
    a.turn();
    assert_eq!(ready(read(&mut a.reactor, io, 600)).len(), 600);
    assert_eq!(b.drives().len(), 1, "the window has room again");
    assert_eq!(ready(send(&mut b)), 600);
}

#[test]
fn spurious_readiness_drives_the_owner_and_operations_would_block() {
    let network = Network::new(0);
    let jumpy = Faults { spurious: 100, ..Faults::NONE };
    let (mut a, io, ..) = pair(&network, Faults::NONE, Faults::NONE);
    let mut c = sim_log(&network, 3, jumpy);
    let [owner] = tokens();
    network.set_fate(address(9, 9), Fate::Silence);
    let out = c.reactor.connect(address(9, 9), owner).unwrap();
    assert_eq!(c.drives().len(), 1);
    assert!(c.reactor.ready(out).contains(Ready::WRITABLE));
    assert!(c.reactor.connected(out).is_pending());
    assert!(read(&mut c.reactor, out, 10).is_pending());
    assert!(read(&mut a.reactor, io, 10).is_pending());
}

#[test]
fn end_of_stream_follows_the_bytes_before_it() {
    let network = Network::new(0);
    let (mut a, io, mut b, out) = pair(&network, Faults::NONE, Faults::SOME);
    write(&mut b.reactor, out, b"x");
    b.reactor.close(out);
    simulate(&network, &mut [&mut a, &mut b]);
    assert_eq!(ready(read(&mut a.reactor, io, 10)), b"x");
    assert_eq!(ready(read(&mut a.reactor, io, 10)), b"");
    write(&mut a.reactor, io, b"never received");
    simulate(&network, &mut [&mut a, &mut b]);
    expect_reset(&mut a, io);
}

#[test]
fn close_with_unread_bytes_sends_a_reset() {
    let network = Network::new(0);
    let (mut a, io, mut b, out) = pair(&network, Faults::NONE, Faults::NONE);
    write(&mut b.reactor, out, b"too late");
    settle(&mut [&mut a, &mut b]);
    a.reactor.close(io);
    settle(&mut [&mut a, &mut b]);
    expect_reset(&mut b, out);
}

#[test]
fn bytes_to_a_closed_connection_are_answered_with_a_reset() {
    let network = Network::new(0);
    let narrow = Faults { window: 1000..1001, ..Faults::NONE };
    let slow = Faults { latency: millis(10)..millis(11), ..Faults::NONE };
    let (mut a, io, mut b, out) = pair(&network, narrow, slow);
    assert_eq!(ready(b.reactor.send(out, &[std::io::IoSlice::new(&[0; 2000])])), 1000);
    a.reactor.close(io); // the bytes are still in flight
    settle(&mut [&mut a, &mut b]);
    assert_eq!(ready(read(&mut b.reactor, out, 10)), b"", "the peer sees an ordinary end first");
    simulate(&network, &mut [&mut a, &mut b]);
    expect_reset(&mut b, out);
}

#[test]
fn number_of_sockets_of_a_host_is_limited() {
    let mut host = sim_log(&Network::new(0), 1, Faults { sockets: 1, ..Faults::NONE });
    let [owner] = tokens();
    let only = host.reactor.connect(address(2, 80), owner).unwrap();
    let error = host.reactor.connect(address(2, 80), owner).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    host.reactor.close(only);
    host.reactor.connect(address(2, 80), owner).unwrap();
}

#[track_caller]
fn expect_reset(host: &mut Host<Log>, io: SocketId) {
    let Poll::Ready(Err(error)) = read(&mut host.reactor, io, 10) else { panic!("no reset") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(host.reactor.ready(io).contains(Ready::ERROR.union(Ready::WRITABLE)));
}
