//! Signals as events, and nothing touched before they are asked for.
//!
//! A signal mask belongs to a thread, and each test has its own: what is raised here is for the
//! thread that raises it.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::thread;

use libc::{SIGHUP, SIGUSR1, SIGUSR2};
use tidegate::reactor::Reactor;
use tidegate::reactor::sim::{Faults, Network};

use crate::support::{Host, Log, settle, tcp_log};

#[test]
fn no_signal_is_touched_before_it_is_watched() {
    let before = State::read();
    let mut host = tcp_log();
    host.turn();
    assert_eq!(State::read(), before);
    host.reactor.watch_signals(&[SIGUSR1]).unwrap();
    assert_eq!(State::read().blocked, [false, true, false]);
    assert_eq!(State::read().handlers, before.handlers, "there is no handler even then");
    drop(host);
    assert_eq!(State::read(), before);
}

#[test]
fn watched_signals_arrive_as_events() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR1, SIGHUP]).unwrap();
    settle(&mut [&mut host]);
    assert_eq!(host.app.signals, []);
    raise(SIGUSR1);
    raise(SIGHUP);
    raise(SIGUSR1); // one that is pending already: they are not counted
    assert_eq!(host.turn().events, 2);
    host.app.signals.sort_unstable();
    assert_eq!(host.app.signals, [SIGHUP, SIGUSR1]);
    raise(SIGUSR1);
    settle(&mut [&mut host]);
    assert_eq!(host.app.signals, [SIGHUP, SIGUSR1, SIGUSR1]);
}

#[test]
fn a_signal_that_came_before_the_first_turn_is_not_lost() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR2]).unwrap();
    raise(SIGUSR2);
    settle(&mut [&mut host]);
    assert_eq!(host.app.signals, [SIGUSR2]);
}

#[test]
fn a_signal_ends_a_turn_that_waits() {
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    reactor.watch_signals(&[SIGHUP]).unwrap();
    // SAFETY: it names this thread, which outlives the one that uses the name.
    let this_thread = unsafe { libc::pthread_self() };
    let sender = thread::spawn(move || {
        // SAFETY: that thread waits for the signal below, so it lives.
        assert_eq!(unsafe { libc::pthread_kill(this_thread, SIGHUP) }, 0);
    });
    let mut log = Log::default();
    while log.signals.is_empty() {
        reactor.turn(&mut log, None).unwrap();
    }
    sender.join().unwrap();
    assert_eq!(log.signals, [SIGHUP]);
}

#[test]
fn a_second_watch_is_refused() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR1]).unwrap();
    let error = host.reactor.watch_signals(&[SIGUSR2]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(State::read().blocked, [false, true, false]);
}

#[test]
fn a_watch_that_fails_leaves_the_mask_as_it_was() {
    let before = State::read();
    assert!(tcp_log().reactor.watch_signals(&[SIGUSR1, 1000]).is_err());
    assert_eq!(State::read(), before);
    let mut simulated: Reactor<()> = Network::new(0).reactor([192, 0, 2, 1].into(), Faults::NONE);
    let error = simulated.watch_signals(&[SIGUSR1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert_eq!(State::read(), before);
}

#[test]
fn reactors_of_one_thread_may_be_dropped_in_any_order() {
    let watch = |signal| {
        let mut host: Host<Log> = tcp_log();
        host.reactor.watch_signals(&[signal]).unwrap();
        host
    };
    let (first, mut second) = (watch(SIGUSR1), watch(SIGUSR2));
    drop(first);
    assert_eq!(State::read().blocked, [false, false, true]);
    raise(SIGUSR2);
    settle(&mut [&mut second]);
    assert_eq!(second.app.signals, [SIGUSR2]);
    drop(second);
    assert_eq!(State::read().blocked, [false; 3]);
}

/// What this thread and the process do with the signals of these tests.
#[derive(Debug, PartialEq, Eq)]
struct State {
    blocked: [bool; 3],
    handlers: [libc::sighandler_t; 3],
}

impl State {
    fn read() -> Self {
        let signals = [SIGHUP, SIGUSR1, SIGUSR2];
        let mut mask = MaybeUninit::uninit();
        // SAFETY: no new mask is given, and the pointer is to memory for the old one.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr()) };
        // SAFETY: the call has no way to fail but a wrong `how`, so it has written the mask.
        let mask = unsafe { mask.assume_init() };
        Self {
            // SAFETY: `mask` is an initialised set.
            blocked: signals
                .map(|signal| unsafe { libc::sigismember(&raw const mask, signal) } == 1),
            handlers: signals.map(handler),
        }
    }
}

fn handler(signal: i32) -> libc::sighandler_t {
    let mut action = MaybeUninit::uninit();
    // SAFETY: no new action is given, and the pointer is to memory for the old one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    assert_eq!(asked, 0);
    // SAFETY: sigaction succeeded, so it has written the action.
    let action: libc::sigaction = unsafe { action.assume_init() };
    action.sa_sigaction
}

/// Sends `signal` to this thread, where it is blocked.
fn raise(signal: i32) {
    // SAFETY: it runs no handler: the signal is blocked and stays pending.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}
