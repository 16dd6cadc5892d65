//! Deadlines on virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{Arena, Clock, Now, Reactor, TcpTransport, VirtualClock, Wake, WakeReason};

use crate::support::{FnApp, Host, LONG, Log, Thing, millis, sim_log, tcp_reactor, tokens};

#[test]
fn deadline_drives_its_object_once_when_due() {
    let (network, mut host) = host();
    let [token] = tokens();
    let start = host.reactor.now().mono;
    host.reactor.set_deadline(token, Some(start + millis(100)));
    network.advance(millis(99));
    assert_eq!(host.drives(), []);
    network.advance(millis(1));
    assert_eq!(host.drives(), [(token, WakeReason::TIMER)]);
    network.advance(millis(1000));
    assert_eq!(host.drives(), []);
}

#[test]
fn postponed_deadline_fires_after_the_last_change() {
    let (network, mut host) = host();
    let [token] = tokens();
    for _ in 0..100 {
        let now = host.reactor.now().mono;
        host.reactor.set_deadline(token, Some(now + millis(100)));
        network.advance(millis(99));
        assert_eq!(host.drives(), []);
    }
    network.advance(millis(1));
    assert_eq!(host.drives(), [(token, WakeReason::TIMER)]);
}

#[test]
fn next_deadline_is_a_lower_bound_updated_by_turns() {
    let (network, mut host) = host();
    let [token] = tokens();
    let start = host.reactor.now().mono;
    assert_eq!(host.reactor.next_deadline(), None);
    host.reactor.set_deadline(token, Some(start + millis(100)));
    assert_eq!(host.reactor.next_deadline(), Some(start + millis(100)));
    host.reactor.set_deadline(token, Some(start + millis(500)));
    assert_eq!(
        host.reactor.next_deadline(),
        Some(start + millis(100)),
        "the bound is updated only by a turn"
    );
    network.advance(millis(100));
    assert_eq!(host.drives(), []);
    assert_eq!(host.reactor.next_deadline(), Some(start + millis(500)));
    host.reactor.set_deadline(token, Some(start + millis(200)));
    assert_eq!(
        host.reactor.next_deadline(),
        Some(start + millis(200)),
        "an earlier deadline counts at once"
    );
    host.reactor.set_deadline(token, None);
    network.advance(millis(500));
    assert_eq!(host.drives(), []);
    assert_eq!(host.reactor.next_deadline(), None);
}

#[test]
fn next_deadline_is_now_while_an_object_waits_to_be_driven() {
    let (_, mut host) = host();
    let [token] = tokens();
    host.reactor.set_deadline(token, Some(host.reactor.now().mono + millis(100)));
    host.reactor.wake(token);
    assert_eq!(host.reactor.next_deadline(), Some(host.reactor.now().mono));
    host.turn();
    assert_ne!(host.reactor.next_deadline(), Some(host.reactor.now().mono));
}

#[test]
fn waiting_turn_advances_virtual_time_to_the_deadline() {
    let (network, mut host) = host();
    let [token] = tokens();
    let start = network.clock().now().mono;
    host.reactor.set_deadline(token, Some(start + millis(1234)));
    let turn = host.reactor.turn(&mut host.app, None).unwrap();
    assert_eq!(turn.driven, 1);
    assert_eq!(network.clock().now().mono, start + millis(1234));
}

#[test]
fn turn_over_tcp_ends_at_the_deadline_before_its_timeout() {
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    let [token] = tokens();
    reactor.set_deadline(token, Some(reactor.now().mono + millis(5)));
    let mut log = Log::default();
    while log.driven.is_empty() {
        reactor.turn(&mut log, Some(Duration::from_secs(600))).unwrap();
    }
    assert_eq!(log.driven, [(token, WakeReason::TIMER)]);
}

#[test]
fn passed_deadline_drives_in_the_next_turn() {
    let mut host = Host::new(
        tcp_reactor(&VirtualClock::default()),
        FnApp(|reactor: &mut Reactor<()>, token, _| {
            reactor.set_deadline(token, Some(reactor.now().mono));
        }),
    );
    let [token] = tokens();
    host.reactor.wake(token);
    for _ in 0..5 {
        assert_eq!(host.reactor.turn(&mut host.app, None).unwrap().driven, 1);
    }
}

/// A clock that counts how often it is read.
#[derive(Debug, Default)]
struct Counted {
    clock: VirtualClock,
    reads: Rc<Cell<u32>>,
}

impl Clock for Counted {
    fn now(&self) -> Now {
        self.reads.set(self.reads.get() + 1);
        self.clock.now()
    }
}

#[test]
fn clock_is_read_once_in_a_turn_that_does_not_wait() {
    let clock = Counted::default();
    let reads = Rc::clone(&clock.reads);
    let transport = Box::new(TcpTransport::new().unwrap());
    let mut host: Host<Log> = Host::new(Reactor::with(transport, Box::new(clock)), Log::default());
    let [token, other] = tokens();
    host.reactor.set_deadline(other, Some(host.reactor.now().mono + LONG));
    for timeout in [None, Some(Duration::ZERO)] {
        host.reactor.wake(token);
        reads.set(0);
        host.reactor.turn(&mut host.app, timeout).unwrap();
        assert_eq!(reads.get(), 1, "{timeout:?}");
    }
}

#[test]
fn deadline_of_a_removed_object_does_not_drive_its_successor() {
    let (network, mut host) = host();
    let mut arena = Arena::new();
    let old = arena.insert(Thing);
    let start = host.reactor.now().mono;
    host.reactor.set_deadline(old.token(), Some(start + millis(10)));
    arena.remove(old);
    let new = arena.insert(Thing);
    host.reactor.set_deadline(new.token(), Some(start + millis(20)));
    network.advance(millis(10));
    assert_eq!(host.drives(), []);
    network.advance(millis(10));
    assert_eq!(host.drives(), [(new.token(), WakeReason::TIMER)]);
}

#[test]
fn wall_clock_jump_moves_no_deadline() {
    let (network, mut host) = host();
    let [token] = tokens();
    host.reactor.set_deadline(token, Some(host.reactor.now().mono + millis(10)));
    let wall = host.reactor.now().wall;
    network.clock().set_wall(wall + Duration::from_secs(86_400));
    assert_eq!(host.drives(), []);
    assert_eq!(host.reactor.now().wall, wall + Duration::from_secs(86_400));
    network.clock().set_wall(wall);
    network.advance(millis(10));
    assert_eq!(host.drives(), [(token, WakeReason::TIMER)]);
    assert_eq!(host.reactor.now().wall, wall + millis(10));
}

fn host() -> (Network, Host<Log>) {
    let network = Network::new(0);
    (network.clone(), sim_log(&network, 1, Faults::NONE))
}
