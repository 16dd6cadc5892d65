//! Echoes of random data: complete, in order, without leaked sockets.

use std::ops::Range;

use tidegate::reactor::sim::{Faults, Network, Rng, explore};
use tidegate::reactor::{Reactor, VirtualClock};

use crate::stations::Station;
use crate::support::{Host, LOOPBACK, address, exchange, simulate, tcp_reactor};

const SEEDS: Range<u64> = 0..1000;

#[test]
fn echoes_arrive_complete_and_in_order_without_faults() {
    explore(SEEDS, |seed| echo_on_simulated_network(seed, &Faults::NONE));
}

#[test]
fn echoes_arrive_complete_and_in_order_under_faults() {
    explore(SEEDS, |seed| echo_on_simulated_network(seed, &Faults::SOME));
}

#[test]
fn stations_calling_each_other_keep_their_streams_apart() {
    explore(0..100, |seed| {
        let network = Network::new(seed);
        let mut rng = network.fork_rng();
        let mut hosts = [1, 2, 3].map(|n| station(&network, n, &Faults::SOME));
        let calls: [_; 3] = std::array::from_fn(|_| messages(&mut rng, 1..5, 5_000));
        for (n, host) in (1..).zip(&mut hosts) {
            host.app.listen(&mut host.reactor, address(n, 7));
        }
        for (host, calls) in hosts.iter_mut().zip(&calls) {
            for data in calls {
                let to = *rng.pick(&[address(1, 7), address(2, 7), address(3, 7)]);
                host.app.call(&mut host.reactor, to, data.clone());
            }
        }
        let [a, b, c] = &mut hosts;
        simulate(&network, &mut [a, b, c]);
        for (host, calls) in hosts.iter_mut().zip(calls) {
            expect_heard(host, calls);
        }
    });
}

#[test]
fn echoes_arrive_complete_and_in_order_over_loopback() {
    let clock = VirtualClock::default();
    let mut rng = Rng::new(2);
    let mut server = Host::new(tcp_reactor(&clock), Station::new(rng.clone()));
    let mut client = Host::new(tcp_reactor(&clock), Station::new(rng.clone()));
    let at = server.app.listen(&mut server.reactor, LOOPBACK);
    let mut sent = messages(&mut rng, 20..21, 300_000);
    sent.push(random_bytes(&mut rng, 8 << 20)); // more than the kernel's buffers hold
    for data in &sent {
        client.app.call(&mut client.reactor, at, data.clone());
    }
    let calls = sent.len();
    exchange(&mut client, &mut server, |client, server| {
        client.ended == calls && server.ended == calls
    });
    expect_heard(&mut client, sent);
    expect_heard(&mut server, Vec::new());
}

/// Runs one seed: a few echoes at the same time, from a client that hangs up once it has received
/// them.
fn echo_on_simulated_network(seed: u64, faults: &Faults) {
    let network = Network::new(seed);
    let mut rng = network.fork_rng();
    let mut server = station(&network, 1, faults);
    let mut client = station(&network, 2, faults);
    let at = server.app.listen(&mut server.reactor, address(1, 0));
    let sent = messages(&mut rng, 0..5, 30_000);
    for data in &sent {
        client.app.call(&mut client.reactor, at, data.clone());
    }
    simulate(&network, &mut [&mut client, &mut server]);
    assert_eq!(server.app.ended, sent.len());
    expect_heard(&mut client, sent);
    expect_heard(&mut server, Vec::new());
}

fn station(network: &Network, last: u8, faults: &Faults) -> Host<Station> {
    let reactor: Reactor<()> = network.reactor(address(last, 0).ip(), faults.clone());
    Host::new(reactor, Station::new(network.fork_rng()))
}

fn messages(rng: &mut Rng, count: Range<usize>, longest: usize) -> Vec<Vec<u8>> {
    let count = count.start + rng.below(count.len());
    (0..count)
        .map(|_| {
            let length = rng.below(longest);
            random_bytes(rng, length)
        })
        .collect()
}

fn random_bytes(rng: &mut Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| rng.next().to_ne_bytes()).flatten().take(length).collect()
}

/// Asserts that the station has received the echoes of `sent`, in any order of calls, and has no
/// open socket.
#[track_caller]
fn expect_heard(host: &mut Host<Station>, mut sent: Vec<Vec<u8>>) {
    sent.sort();
    host.app.heard.sort();
    let lengths = |data: &[Vec<u8>]| data.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(&host.app.heard), lengths(&sent));
    assert!(host.app.heard == sent, "the bytes differ");
    host.app.stop_listening(&mut host.reactor);
    assert!(host.app.is_quiet());
    assert_eq!(host.reactor.open_sockets(), 0);
}
