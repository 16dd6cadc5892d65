//! Signals as events; no signal state is changed before the reactor watches a signal.
//!
//! A signal mask belongs to a thread, and each test runs in its own: a signal raised here is
//! delivered to the thread that raises it.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::thread;

use libc::{SIGHUP, SIGUSR1, SIGUSR2};
use tidegate::reactor::Reactor;
use tidegate::reactor::sim::{Faults, Network};

use crate::support::{Host, Log, settle, tcp_log};

#[test]
fn signal_state_is_unchanged_before_a_watch() {
    let before = State::read();
    let mut host = tcp_log();
    host.turn();
    assert_eq!(State::read(), before);
    host.reactor.watch_signals(&[SIGUSR1]).unwrap();
    assert_eq!(State::read().blocked, [false, true, false]);
    assert_eq!(State::read().handlers, before.handlers, "no handler is installed even then");
    drop(host);
    assert_eq!(State::read(), before);
}

#[test]
fn watched_signals_arrive_as_events() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR1, SIGHUP]).unwrap();
    settle(&mut [&mut host]);
    assert!(host.app.signals.is_empty());
    raise(SIGUSR1);
    raise(SIGHUP);
    raise(SIGUSR1); // pending already: pending signals are not counted
    assert_eq!(host.turn().events, 2);
    host.app.signals.sort_unstable();
    assert_eq!(host.app.signals, [SIGHUP, SIGUSR1]);
    raise(SIGUSR1);
    settle(&mut [&mut host]);
    assert_eq!(host.app.signals, [SIGHUP, SIGUSR1, SIGUSR1]);
}

#[test]
fn signal_before_the_first_turn_is_not_lost() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR2]).unwrap();
    raise(SIGUSR2);
    settle(&mut [&mut host]);
    assert_eq!(host.app.signals, [SIGUSR2]);
}

#[test]
fn signal_ends_a_waiting_turn() {
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    reactor.watch_signals(&[SIGHUP]).unwrap();
    // SAFETY: the value names this thread, which outlives the thread that uses it.
    let this_thread = unsafe { libc::pthread_self() };
    let sender = thread::spawn(move || {
        // SAFETY: the target thread waits for the signal below, so it is alive.
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
fn second_watch_is_refused() {
    let mut host = tcp_log();
    host.reactor.watch_signals(&[SIGUSR1]).unwrap();
    let error = host.reactor.watch_signals(&[SIGUSR2]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(State::read().blocked, [false, true, false]);
}

#[test]
fn failed_watch_restores_the_mask() {
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

/// The mask of this thread and the handlers of the process, for the signals of these tests.
#[derive(Debug, PartialEq, Eq)]
struct State {
    blocked: [bool; 3],
    handlers: [libc::sighandler_t; 3],
}

impl State {
    fn read() -> Self {
        let signals = [SIGHUP, SIGUSR1, SIGUSR2];
        let mut mask = MaybeUninit::uninit();
        // SAFETY: no new mask is set, and the pointer is to memory for the old one.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr()) };
        // SAFETY: the call fails only for a wrong `how`, so it has written the mask.
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
    // SAFETY: no new action is set, and the pointer is to memory for the old one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    assert_eq!(asked, 0);
    // SAFETY: sigaction succeeded, so it has written the action.
    let action: libc::sigaction = unsafe { action.assume_init() };
    action.sa_sigaction
}

/// Sends `signal` to this thread, where it is blocked.
fn raise(signal: i32) {
    // SAFETY: no handler runs: the signal is blocked and stays pending.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}
