//! The connector: dialling several addresses until one connects.

use std::net::{SocketAddr, TcpListener};
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Fate, Faults, Network};
use tidegate::reactor::{
    ConnectError, Connector, FailedAddresses, Listener, SocketId, Token, WakeReason,
    interleave_families,
};

use crate::support::{Host, LOOPBACK, Log, address, millis, sim_log, tcp_log, tokens};

const STAGGER: Duration = millis(250);
const TIMEOUT: Duration = millis(2000);

/// Three addresses; the server listens on all of them.
fn addresses() -> [SocketAddr; 3] {
    [1, 2, 3].map(|last| address(last, 80))
}

struct Scene {
    network: Network,
    client: Host<Log>,
    /// The server keeps its listeners open.
    _server: Host<Log>,
    connector: Connector,
    owner: Token,
}

type Outcome = Result<(SocketId, SocketAddr), ConnectError>;

impl Scene {
    /// Returns a client that is about to connect to the addresses, which have these fates.
    fn new(fates: [Fate; 3]) -> Self {
        let network = Network::new(0);
        let [gate, owner] = tokens();
        let mut server = sim_log(&network, 1, Faults::NONE);
        for (at, fate) in addresses().into_iter().zip(fates) {
            Listener::bind(&mut server.reactor, at, gate).unwrap();
            network.set_fate(at, fate);
        }
        let client = sim_log(&network, 9, Faults::NONE);
        let now = client.reactor.now().mono;
        let connector = Connector::new(owner, addresses(), now, STAGGER, TIMEOUT);
        Self { network, client, _server: server, connector, owner }
    }

    fn drive(&mut self) -> Poll<Outcome> {
        self.connector.drive(&mut self.client.reactor)
    }

    /// Drives the connector as its owner would until it finishes; returns the outcome and the
    /// elapsed time.
    fn outcome(&mut self) -> (Outcome, Duration) {
        let start = self.client.reactor.now().mono;
        for _ in 0..100 {
            if let Poll::Ready(outcome) = self.drive() {
                return (outcome, self.client.reactor.now().mono - start);
            }
            let deadline = self.connector.next_deadline();
            self.client.reactor.set_deadline(self.owner, Some(deadline));
            self.client.reactor.turn(&mut self.client.app, None).unwrap();
        }
        panic!("the connector does not finish");
    }

    fn update(&mut self, addresses: impl IntoIterator<Item = SocketAddr>, complete: bool) {
        self.connector.update(addresses);
        self.connector.set_complete(complete);
    }

    /// Drives the connector as its owner would for `time`, and expects it to stay pending.
    #[track_caller]
    fn expect_no_end_for(&mut self, time: Duration) {
        let end = self.client.reactor.now().mono + time;
        while self.client.reactor.now().mono < end {
            assert!(self.drive().is_pending());
            let deadline = self.connector.next_deadline().min(end);
            self.client.reactor.set_deadline(self.owner, Some(deadline));
            self.client.reactor.turn(&mut self.client.app, None).unwrap();
        }
        assert!(self.drive().is_pending());
    }

    #[track_caller]
    fn expect_connected(&mut self, to: SocketAddr, after: Duration) {
        let (outcome, took) = self.outcome();
        let (io, connected) = outcome.unwrap();
        assert_eq!((connected, took), (to, after));
        assert_eq!(self.client.reactor.open_sockets(), 1, "all other sockets are closed");
        self.client.reactor.close(io);
    }
}

const ANSWER: Fate = Fate::Answer(Duration::ZERO);

#[test]
fn first_address_is_used_if_it_connects() {
    let mut scene = Scene::new([ANSWER; 3]);
    assert!(scene.drive().is_pending());
    assert_eq!(scene.client.reactor.open_sockets(), 1, "only one attempt has started");
    assert_eq!(scene.client.drives(), [(scene.owner, WakeReason::READY)]);
    scene.expect_connected(addresses()[0], Duration::ZERO);
}

#[test]
fn next_address_is_tried_at_once_after_a_refusal() {
    Scene::new([Fate::Refuse, Fate::Refuse, ANSWER])
        .expect_connected(addresses()[2], Duration::ZERO);
}

#[test]
fn next_address_is_tried_after_the_stagger_if_one_is_silent() {
    let mut scene = Scene::new([Fate::Silence, ANSWER, ANSWER]);
    assert!(scene.drive().is_pending());
    assert_eq!(scene.connector.next_deadline(), scene.client.reactor.now().mono + STAGGER);
    scene.expect_connected(addresses()[1], STAGGER);
}

#[test]
fn slow_attempt_continues_and_wins_if_it_connects_late() {
    let late = Fate::Answer(millis(700));
    let mut scene = Scene::new([late, Fate::Silence, Fate::Silence]);
    scene.expect_connected(addresses()[0], millis(700));
}

#[test]
fn refusal_starts_the_next_attempt_before_the_stagger() {
    let refused_late = Fate::Refuse;
    let mut scene = Scene::new([Fate::Silence, refused_late, ANSWER]);
    scene.expect_connected(addresses()[2], STAGGER);
}

#[test]
fn all_attempts_are_closed_at_the_deadline_and_not_before() {
    let mut scene = Scene::new([Fate::Silence; 3]);
    assert!(scene.drive().is_pending());
    for under_way in [1, 2, 3, 3, 3, 3, 3, 3] {
        assert!(scene.drive().is_pending());
        assert_eq!(scene.client.reactor.open_sockets(), under_way);
        scene.network.advance(STAGGER);
        scene.client.turn();
    }
    assert!(matches!(scene.drive(), Poll::Ready(Err(ConnectError::TimedOut))));
    assert_eq!(scene.client.reactor.open_sockets(), 0);
}

#[test]
fn concurrent_attempts_are_bounded_and_the_oldest_makes_room() {
    let mut scene = Scene::new([ANSWER; 3]);
    let silent: Vec<SocketAddr> = (101..=111).map(|last| address(last, 80)).collect();
    silent.iter().for_each(|&at| scene.network.set_fate(at, Fate::Silence));
    let now = scene.client.reactor.now().mono;
    let all = silent.iter().copied().chain([addresses()[0]]);
    scene.connector = Connector::new(scene.owner, all, now, STAGGER, TIMEOUT * 10);
    for under_way in [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8] {
        assert!(scene.drive().is_pending());
        assert_eq!(scene.client.reactor.open_sockets(), under_way);
        scene.network.advance(STAGGER);
        scene.client.turn();
    }
    scene.expect_connected(addresses()[0], Duration::ZERO);
    let failed: Vec<SocketAddr> = scene
        .connector
        .take_results()
        .filter_map(|(at, connected)| (!connected).then_some(at))
        .collect();
    assert_eq!(failed.len(), 11, "all other addresses were silent");
}

#[test]
fn deadline_applies_while_addresses_are_untried() {
    let mut scene = Scene::new([Fate::Silence; 3]);
    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, addresses(), now, TIMEOUT, millis(300));
    let (outcome, took) = scene.outcome();
    assert!(matches!(outcome, Err(ConnectError::TimedOut)));
    assert_eq!(took, millis(300));
    assert_eq!(scene.client.reactor.open_sockets(), 0);
}

#[test]
fn last_refusal_is_reported_if_all_addresses_refuse() {
    let mut scene = Scene::new([Fate::Refuse; 3]);
    let (Err(ConnectError::Failed(at, error)), _) = scene.outcome() else { panic!("refused") };
    assert_eq!(at, addresses()[2]);
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(scene.client.reactor.open_sockets(), 0);
}

#[test]
fn no_address_and_timeout_are_distinct_errors() {
    let mut scene = Scene::new([ANSWER; 3]);
    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, [], now, STAGGER, TIMEOUT);
    assert!(matches!(scene.drive(), Poll::Ready(Err(ConnectError::NoAddress))));
    scene.connector = Connector::new(scene.owner, addresses(), now, STAGGER, Duration::ZERO);
    assert!(matches!(scene.drive(), Poll::Ready(Err(ConnectError::TimedOut))));
}

#[test]
fn late_address_is_tried_at_once_if_all_others_have_failed() {
    let mut scene = Scene::new([Fate::Refuse, ANSWER, ANSWER]);
    let [a, b, _] = addresses();
    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, [a], now, STAGGER, TIMEOUT);
    scene.update([a], false);
    scene.expect_no_end_for(millis(150));
    assert_eq!(scene.client.reactor.open_sockets(), 0, "the first address has refused");
    scene.update([a, b], true);
    scene.expect_connected(b, Duration::ZERO);
    assert_eq!(scene.network.connects(address(9, 0).ip()), 2, "no address is tried twice");
}

#[test]
fn late_address_waits_for_the_stagger() {
    let mut scene = Scene::new([Fate::Silence, Fate::Silence, ANSWER]);
    let [a, b, c] = addresses();
    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, [a, b], now, STAGGER, TIMEOUT);
    scene.update([a, b], false);
    scene.expect_no_end_for(millis(100));
    scene.update([a, c, b], true);
    scene.expect_connected(c, STAGGER - millis(100));
}

#[test]
fn failure_is_reported_once_the_addresses_are_complete() {
    let mut scene = Scene::new([Fate::Refuse; 3]);
    scene.update(addresses(), false);
    scene.expect_no_end_for(millis(100));
    scene.update([], true);
    let (Err(ConnectError::Failed(at, _)), _) = scene.outcome() else { panic!("refused") };
    assert_eq!(at, addresses()[2]);

    let mut scene = Scene::new([Fate::Refuse; 3]);
    scene.update(addresses(), false);
    let (Err(ConnectError::Failed(..)), took) = scene.outcome() else { panic!("refused") };
    assert_eq!(took, TIMEOUT, "the failure is reported at the deadline");

    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, [], now, STAGGER, TIMEOUT);
    scene.update([], false);
    assert!(scene.drive().is_pending());
    scene.update([], true);
    assert!(matches!(scene.drive(), Poll::Ready(Err(ConnectError::NoAddress))));
}

#[test]
fn attempt_delayed_by_a_late_loop_gets_its_full_time() {
    let mut scene = Scene::new([Fate::Silence, ANSWER, ANSWER]);
    assert!(scene.drive().is_pending());
    scene.network.advance(TIMEOUT * 3);
    scene.client.turn();
    scene.expect_connected(addresses()[1], Duration::ZERO);

    let late = Fate::Answer(TIMEOUT - STAGGER - millis(1));
    let mut scene = Scene::new([Fate::Silence, late, Fate::Silence]);
    assert!(scene.drive().is_pending());
    scene.network.advance(TIMEOUT * 3);
    scene.client.turn();
    scene.expect_connected(addresses()[1], TIMEOUT - STAGGER - millis(1));

    let mut scene = Scene::new([Fate::Silence; 3]);
    assert!(scene.drive().is_pending());
    scene.network.advance(TIMEOUT * 3);
    scene.client.turn();
    let (Err(ConnectError::TimedOut), took) = scene.outcome() else { panic!("timed out") };
    assert_eq!(took, TIMEOUT - STAGGER, "the second attempt has its own time, not more");
}

#[test]
fn lack_of_descriptors_fails_the_attempt() {
    let mut scene = Scene::new([ANSWER; 3]);
    let none_left = Faults { sockets: 0, ..Faults::NONE };
    scene.client = sim_log(&scene.network, 8, none_left);
    let (Err(ConnectError::Failed(_, error)), _) = scene.outcome() else { panic!("exhausted") };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
}

#[test]
fn cancel_closes_all_attempts() {
    let mut scene = Scene::new([Fate::Silence; 3]);
    assert!(scene.drive().is_pending());
    scene.network.advance(STAGGER);
    scene.client.turn();
    assert!(scene.drive().is_pending());
    assert_eq!(scene.client.reactor.open_sockets(), 2);
    scene.connector.cancel(&mut scene.client.reactor);
    assert_eq!(scene.client.reactor.open_sockets(), 0);
}

#[test]
fn refused_address_is_followed_by_the_next_over_tcp() {
    let closed = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let open = TcpListener::bind(LOOPBACK).unwrap();
    let at = open.local_addr().unwrap();
    let mut host = tcp_log();
    let [owner] = tokens();
    let now = host.reactor.now().mono;
    let mut connector = Connector::new(owner, [closed, at], now, STAGGER, TIMEOUT);
    host.turn_until(|host| match connector.drive(&mut host.reactor) {
        Poll::Ready(outcome) => {
            assert_eq!(outcome.unwrap().1, at);
            true
        }
        Poll::Pending => false,
    });
    assert_eq!(host.reactor.open_sockets(), 1);
    open.accept().unwrap();
}

#[test]
fn unbounded_timeout_never_expires() {
    let network = Network::new(0);
    network.set_fate(address(1, 80), Fate::Silence);
    let mut client = sim_log(&network, 9, Faults::NONE);
    let ([owner], now) = (tokens(), client.reactor.now().mono);
    let (to, forever) = ([address(1, 80), address(2, 80)], Duration::MAX);
    let mut connector = Connector::new(owner, to, now, forever, forever);
    network.advance(Duration::from_secs(86_400));
    assert!(connector.drive(&mut client.reactor).is_pending());
    assert!(connector.next_deadline() > now + Duration::from_secs(365 * 86_400));
    assert_eq!(
        client.reactor.open_sockets(),
        1,
        "the second address is not tried before the first fails"
    );
}

#[test]
fn addresses_of_both_families_alternate() {
    let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
    let interleaved = |list: &[&str]| {
        let mut addresses: Vec<SocketAddr> = parse(list);
        interleave_families(&mut addresses);
        addresses
    };
    let (six, four) = (["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"], "192.0.2.1:1");
    let expected: Vec<SocketAddr> = parse(&[six[0], four, six[1], six[2]]);
    assert_eq!(interleaved(&[six[0], six[1], six[2], four]), expected);
    let expected: Vec<SocketAddr> = parse(&[four, six[0], six[1]]);
    assert_eq!(interleaved(&[four, six[0], six[1]]), expected);
    assert_eq!(interleaved(&[]), []);
}

/// Returns the order in which the addresses would be tried now.
fn order(failed: &FailedAddresses, scene: &Scene) -> Vec<SocketAddr> {
    let mut order = addresses();
    failed.put_last(&mut order, scene.client.reactor.now().mono);
    order.to_vec()
}

#[test]
fn recently_failed_addresses_are_tried_last() {
    let keep = Duration::from_secs(60);
    let mut failed = FailedAddresses::new(10, keep);
    let [a, b, c] = addresses();
    let mut scene = Scene::new([Fate::Silence, Fate::Refuse, ANSWER]);
    scene.expect_connected(c, STAGGER);
    let now = scene.client.reactor.now().mono;
    failed.note(&mut scene.connector, now);
    assert_eq!(order(&failed, &scene), [c, a, b], "the silent and the refusing address are last");
    scene.network.advance(keep);
    scene.client.turn();
    assert_eq!(order(&failed, &scene), [a, b, c], "the failures have expired");

    let mut scene = Scene::new([ANSWER; 3]);
    let mut failed = FailedAddresses::new(10, keep);
    failed.note(&mut refused(a), now);
    assert_eq!(order(&failed, &scene), [b, c, a]);
    scene.expect_connected(a, Duration::ZERO);
    failed.note(&mut scene.connector, now);
    assert_eq!(
        order(&failed, &scene),
        [a, b, c],
        "a successful address is no longer listed as failed"
    );
}

/// Returns a connector whose only address has refused.
fn refused(address: SocketAddr) -> Connector {
    let mut scene = Scene::new([Fate::Refuse; 3]);
    let now = scene.client.reactor.now().mono;
    scene.connector = Connector::new(scene.owner, [address], now, STAGGER, TIMEOUT);
    assert!(scene.outcome().0.is_err());
    scene.connector
}

#[test]
fn number_of_remembered_failures_is_bounded() {
    let scene = Scene::new([ANSWER; 3]);
    let now = scene.client.reactor.now().mono;
    let mut failed = FailedAddresses::new(1, Duration::from_secs(60));
    let [a, b, c] = addresses();
    failed.note(&mut refused(a), now);
    failed.note(&mut refused(b), now + millis(1));
    assert_eq!(order(&failed, &scene), [a, c, b], "the newer failure replaces the oldest");
    failed.set_limits(0, Duration::from_secs(60));
    failed.note(&mut refused(c), now + millis(2));
    assert_eq!(order(&failed, &scene), [a, b, c]);
}
