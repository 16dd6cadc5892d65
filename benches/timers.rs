//! Deadlines of 10,000 objects: moved later with every byte, as idle timeouts are, and due.

use std::time::Duration;

use divan::Bencher;
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, Reactor, TcpTransport, Token, VirtualClock,
};

fn main() {
    divan::main();
}

struct Thing;
impl Driven for Thing {
    const KIND: u8 = 0;
}

fn tokens() -> Vec<Token> {
    let mut arena = Arena::new();
    (0..10_000).map(|_| arena.insert(Thing).token()).collect()
}

/// A program that does nothing when it is driven.
struct Idle;
impl App for Idle {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

fn reactor(clock: &VirtualClock) -> Reactor<()> {
    let transport = TcpTransport::new().expect("an epoll instance");
    Reactor::with(Box::new(transport), Box::new(clock.clone()))
}

#[divan::bench]
fn moved_later(bencher: Bencher<'_, '_>) {
    let (tokens, clock) = (tokens(), VirtualClock::default());
    let (mut reactor, start) = (reactor(&clock), clock.now().mono);
    let mut turn = 0;
    bencher.counter(tokens.len()).bench_local(|| {
        turn += 1;
        for &token in &tokens {
            let later = Duration::from_secs(60) + Duration::from_micros(turn);
            reactor.set_deadline(token, Some(start + later));
        }
    });
}

#[divan::bench]
fn set_and_due(bencher: Bencher<'_, '_>) {
    let (tokens, clock) = (tokens(), VirtualClock::default());
    let mut reactor = reactor(&clock);
    bencher.counter(tokens.len()).bench_local(|| {
        let start = clock.now().mono;
        for (number, &token) in tokens.iter().enumerate() {
            let after = Duration::from_micros(number as u64 * 7919 % 10_000);
            reactor.set_deadline(token, Some(start + after));
        }
        clock.advance(Duration::from_secs(1));
        let turn = reactor.turn(&mut Idle, Some(Duration::ZERO)).expect("a poll");
        assert_eq!(turn.driven, tokens.len());
    });
}
