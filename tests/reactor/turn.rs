//! Turns of the loop: which objects are driven, how often, and which wait.

use std::time::Duration;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    Arena, Budget, Clock, Id, Reactor, Ready, SocketId, Token, Wake, WakeReason,
};

use crate::support::{FnApp, Host, Log, Thing, address, read, ready, sim_log, tokens, write};

#[test]
fn object_is_driven_once_a_turn_for_all_reasons() {
    let mut host = log();
    let [token] = tokens();
    let now = host.reactor.now().mono;
    host.reactor.wake(token);
    host.reactor.wake(token);
    host.reactor.set_deadline(token, Some(now));
    let drives = host.drives();
    let [(driven, why)] = drives[..] else { panic!("{drives:?}") };
    assert_eq!(driven, token);
    assert!(
        why.contains(WakeReason::WAKE)
            && why.contains(WakeReason::TIMER)
            && !why.contains(WakeReason::READY)
    );
    assert_eq!(host.drives(), []);
}

#[test]
fn object_that_wakes_itself_waits_for_the_next_turn() {
    let mut drives = 0;
    let mut host = Host::new(
        reactor(),
        FnApp(|reactor: &mut Reactor<()>, token, _| {
            drives += 1;
            reactor.wake(token);
        }),
    );
    let [token] = tokens();
    host.reactor.wake(token);
    for _ in 0..10 {
        assert_eq!(host.turn().driven, 1);
    }
    assert_eq!(drives, 10);
}

#[test]
fn object_woken_before_its_drive_is_driven_in_the_same_turn() {
    let [first, second] = tokens();
    let mut order = Vec::new();
    let mut host = Host::new(
        reactor(),
        FnApp(|reactor: &mut Reactor<()>, token, _| {
            order.push(token);
            if token == first {
                reactor.wake(second);
            } else {
                reactor.wake(first);
            }
        }),
    );
    host.reactor.wake(first);
    assert_eq!(host.turn().driven, 2);
    assert_eq!(host.turn().driven, 2, "the second object woke the first again");
    assert_eq!(order, [first, second, first, second]);
}

#[test]
fn objects_are_driven_in_the_order_of_their_wakes() {
    let mut host = log();
    let mut arena = Arena::new();
    let places: [_; 3] = std::array::from_fn(|_| arena.insert(Thing));
    for used in &places[1..] {
        arena.remove(*used); // gives the tokens different generations as well
    }
    let [a, b, c] = [places[0], arena.insert(Thing), arena.insert(Thing)].map(Id::token);
    let mut expect = |order: &[Token]| {
        order.iter().for_each(|&token| host.reactor.wake(token));
        assert_eq!(host.drives().iter().map(|drive| drive.0).collect::<Vec<_>>(), order);
        assert_eq!(host.reactor.stale_wakes(), 0);
    };
    expect(&[c, a, b]);
    expect(&[b, c, a]);
    let now = host.reactor.now().mono;
    [c, a, b].iter().for_each(|&token| host.reactor.set_deadline(token, Some(now)));
    assert_eq!(host.drives().len(), 3);
}

#[test]
fn wake_of_a_removed_object_is_harmless_and_counted() {
    let mut host = log();
    let mut arena = Arena::new();
    let old = arena.insert(Thing);
    host.reactor.wake(old.token());
    arena.remove(old);
    let new = arena.insert(Thing);
    assert_eq!(old.index(), new.index(), "the slot is reused");
    host.reactor.wake(new.token());
    assert_eq!(host.drives(), [(new.token(), WakeReason::WAKE)]);
    assert_eq!(host.reactor.stale_wakes(), 1, "the wake was queued when its object was removed");
    host.reactor.wake(old.token());
    assert_eq!(host.drives(), []);
    assert_eq!(host.reactor.stale_wakes(), 2);
}

#[test]
fn busy_object_does_not_starve_others() {
    let network = Network::new(1);
    let wide = Faults { window: 1 << 20..(1 << 20) + 1, ..Faults::NONE };
    let mut peer = sim_log(&network, 2, Faults::NONE);
    let [gate, greedy, modest] = tokens();
    let mut host = sim_log(&network, 1, wide);
    let listener = host.reactor.listen(address(1, 80), gate).unwrap();
    let mut connect = || {
        let out = peer.reactor.connect(address(1, 80), gate).unwrap();
        peer.turn();
        host.turn();
        (ready(host.reactor.accept(listener)).0, out)
    };
    let ((flood, flood_out), (trickle, trickle_out)) = (connect(), connect());
    write(&mut peer.reactor, flood_out, &vec![1; 1 << 20]);
    write(&mut peer.reactor, trickle_out, b"a word");
    host.reactor.set_owner(flood, greedy);
    host.reactor.set_owner(trickle, modest);

    let (mut order, mut of_flood, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let mut host = Host::new(
        host.reactor,
        FnApp(|reactor: &mut Reactor<()>, token, _| {
            order.push(token);
            if token == greedy {
                let before = of_flood.len();
                read_within_budget(reactor, token, flood, &mut of_flood);
                assert!(
                    of_flood.len() - before < 64 * 1024 + 5000,
                    "no more than a budget and the last read"
                );
            } else {
                words.extend(ready(read(reactor, trickle, 100)));
            }
        }),
    );
    host.turn();
    write(&mut peer.reactor, trickle_out, b", and another");
    while !host.turn().is_idle() {}
    drop(host);
    assert_eq!(of_flood.len(), 1 << 20);
    assert_eq!(words, b"a word, and another");
    assert_eq!(order[..5], [greedy, modest, greedy, modest, greedy]);
    assert!(order.len() > 16, "{}", order.len());
}

fn read_within_budget(reactor: &mut Reactor<()>, token: Token, io: SocketId, into: &mut Vec<u8>) {
    let mut budget = Budget::default();
    while !budget.is_spent() {
        let std::task::Poll::Ready(bytes) = read(reactor, io, 5000) else { return };
        let bytes = bytes.unwrap();
        budget.spend_in(bytes.len());
        into.extend(bytes);
    }
    reactor.wake(token);
}

#[test]
fn new_owner_of_a_socket_is_driven_only_for_unhandled_readiness() {
    let network = Network::new(1);
    let mut peer = sim_log(&network, 2, Faults::NONE);
    let mut host = sim_log(&network, 1, Faults::NONE);
    let [gate, first, second] = tokens();
    let listener = host.reactor.listen(address(1, 80), gate).unwrap();
    let out = peer.reactor.connect(address(1, 80), gate).unwrap();
    peer.turn();
    host.turn();
    let (io, _) = ready(host.reactor.accept(listener));
    host.reactor.set_owner(io, first);
    assert_eq!(host.drives(), [(first, WakeReason::READY)], "the socket has not been read yet");

    assert!(read(&mut host.reactor, io, 10).is_pending());
    assert!(host.reactor.ready(io).contains(Ready::WRITABLE));
    host.reactor.set_owner(io, second);
    assert_eq!(host.drives(), [], "the socket is only writable");

    write(&mut peer.reactor, out, b"a word");
    assert_eq!(host.drives(), [(second, WakeReason::READY)]);
    host.reactor.set_owner(io, first);
    assert_eq!(host.drives(), [(first, WakeReason::READY)], "the bytes are unread");
}

#[test]
fn run_ends_after_the_turn_with_the_stop() {
    let mut drives = 0;
    let mut app = FnApp(|reactor: &mut Reactor<()>, token, _| {
        drives += 1;
        if drives == 3 {
            reactor.stop();
        }
        reactor.wake(token);
    });
    let mut reactor = reactor();
    let [a, b] = tokens();
    reactor.wake(a);
    reactor.wake(b);
    reactor.run(&mut app).unwrap();
    assert_eq!(drives, 4, "the second turn is completed");
}

#[test]
fn turn_without_work_is_idle() {
    let mut host = log();
    assert!(host.turn().is_idle());
    let [token] = tokens();
    host.reactor.wake(token);
    assert!(!host.turn().is_idle());
    for time in [Duration::from_secs(1), Duration::MAX] {
        assert!(host.reactor.turn(&mut host.app, Some(time)).unwrap().is_idle());
    }
}

fn reactor<M>() -> Reactor<M> {
    Network::new(0).reactor(address(1, 0).ip(), Faults::NONE)
}

fn log() -> Host<Log> {
    Host::new(reactor(), Log::default())
}

#[test]
fn turn_ends_after_4_ms_and_remaining_objects_are_driven_after_the_next_poll() {
    let network = Network::new(1);
    let clock = network.clock();
    let mut order = Vec::new();
    let mut host = Host::new(
        network.reactor("192.0.2.1".parse().unwrap(), Faults::NONE),
        FnApp(|reactor: &mut Reactor<()>, token, why| {
            order.push((token, why));
            clock.advance(Duration::from_millis(1)); // work that takes time
            if why == WakeReason::WAKE && order.len() == 1 {
                reactor.wake(token);
            }
        }),
    );
    let tokens: [Token; 9] = tokens();
    tokens.iter().for_each(|&token| host.reactor.wake(token));
    assert_eq!(host.turn().driven, 4, "a turn ends after four milliseconds");
    let now = network.clock().now().mono;
    host.reactor.set_deadline(tokens[8], Some(now));
    assert_eq!(host.turn().driven, 4);
    assert_eq!(host.turn().driven, 2);
    assert!(host.turn().is_idle());
    let driven: Vec<_> = order.iter().map(|drive| drive.0).collect();
    assert_eq!(driven[..9], tokens, "objects left over precede those woken again");
    assert_eq!(driven[9], tokens[0]);
    assert!(
        order[8].1.contains(WakeReason::TIMER) && order[8].1.contains(WakeReason::WAKE),
        "one drive serves both reasons"
    );
}
