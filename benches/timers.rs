//! Deadlines of 10,000 objects: moved later on every byte, which is what happens; and due.

use std::time::{Duration, Instant};

use divan::Bencher;
use tidegate::reactor::{Active, Arena, TimerQueue, Token};

fn main() {
    divan::main();
}

struct Thing;
impl Active for Thing {
    const KIND: u8 = 0;
}

fn tokens() -> Vec<Token> {
    let mut arena = Arena::new();
    (0..10_000).map(|_| arena.insert(Thing).token()).collect()
}

#[divan::bench]
fn moved_later(bencher: Bencher<'_, '_>) {
    let (tokens, start) = (tokens(), Instant::now());
    let (mut queue, mut turn) = (TimerQueue::default(), 0);
    bencher.counter(tokens.len()).bench_local(|| {
        turn += 1;
        for &token in &tokens {
            queue.set(token, Some(start + Duration::from_secs(60) + Duration::from_micros(turn)));
        }
    });
}

#[divan::bench]
fn set_and_due(bencher: Bencher<'_, '_>) {
    let (tokens, start) = (tokens(), Instant::now());
    bencher.counter(tokens.len()).with_inputs(TimerQueue::default).bench_local_refs(|queue| {
        for (number, &token) in tokens.iter().enumerate() {
            let after = Duration::from_micros(number as u64 * 7919 % 10_000);
            queue.set(token, Some(start + after));
        }
        while queue.pop_due(start + Duration::from_secs(1)).is_some() {}
    });
}
