//! Wakes of objects from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{Reactor, WakeReason, Waker};

use crate::support::{FnApp, Host, Log, sim_log, tokens};

#[test]
fn wake_from_another_thread_ends_a_waiting_turn() {
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    let [one, other] = tokens();
    let waker = reactor.waker(other);
    let thread = thread::spawn(move || waker.wake());
    let mut log = Log::default();
    while log.driven.is_empty() {
        reactor.turn(&mut log, None).unwrap();
    }
    assert_eq!(log.driven, [(other, WakeReason::WAKE)]);
    assert_ne!(one, other);
    thread.join().unwrap();
}

#[test]
fn no_wake_is_lost_and_repeated_wakes_are_merged() {
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    let [token] = tokens();
    let (made, wakes) = (Arc::new(AtomicUsize::new(0)), 20_000);
    let (waker, maker) = (reactor.waker(token), Arc::clone(&made));
    let thread = thread::spawn(move || {
        for _ in 0..wakes {
            maker.fetch_add(1, Ordering::Release);
            waker.wake();
        }
    });
    let (mut seen, mut drives) = (0, 0);
    while seen < wakes {
        let mut app = FnApp(|_: &mut Reactor<()>, _, _| {
            seen = made.load(Ordering::Acquire);
            drives += 1;
        });
        reactor.turn(&mut app, None).unwrap(); // the turn waits forever if a wake is lost
    }
    assert!(drives <= wakes);
    thread.join().unwrap();
}

#[test]
fn object_is_driven_once_for_all_wakes_of_a_turn() {
    let network = Network::new(0);
    let mut host = sim_log(&network, 1, Faults::NONE);
    let [token] = tokens();
    let waker = host.reactor.waker(token);
    (0..100_000).for_each(|_| waker.clone().wake()); // more wakes than the queue holds
    assert_eq!(
        host.reactor.next_deadline(),
        Some(host.reactor.now().mono),
        "the turn is due at once"
    );
    assert_eq!(host.drives(), [(token, WakeReason::WAKE)]);
    assert_eq!(host.drives(), []);
    waker.wake();
    assert_eq!(host.drives(), [(token, WakeReason::WAKE)]);
}

#[test]
fn waker_outlives_its_reactor() {
    let [token] = tokens();
    let waker: Waker = {
        let host: Host<Log> = Host::new(Reactor::new().unwrap(), Log::default());
        host.reactor.waker(token)
    };
    waker.wake();
    waker.wake();
}
