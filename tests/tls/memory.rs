//! Memory that a connection holds while it is idle, compared with what the allocator has handed out.

use std::task::Poll;

use tidegate::reactor::sim::Faults;
use tikv_jemalloc_ctl::thread::{allocatedp, deallocatedp};
use tikv_jemallocator::Jemalloc;

use crate::pair::{Pair, content, window};
use crate::raw::with_raw_server;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Most bytes of an idle session.
const IDLE: u64 = 10 << 10;
const COUNT: u64 = 20;
const RECORD: usize = 16_384;

/// Returns the bytes allocated minus the bytes freed by this thread.
fn live() -> u64 {
    let (given, freed) = (allocatedp::read().unwrap(), deallocatedp::read().unwrap());
    given.get().wrapping_sub(freed.get())
}

/// Sends content in both directions, over windows that make each wait for the other.
fn burst(pair: &mut Pair) {
    let bytes = content(200_000, 1);
    let (mut up, mut down, mut received) = (0, 0, [0, 0]);
    while received != [bytes.len(); 2] {
        if up < bytes.len()
            && let Poll::Ready(n) = pair.client.send(&bytes[up..])
        {
            up += n.unwrap();
        }
        if down < bytes.len()
            && let Poll::Ready(n) = pair.server.send(&bytes[down..])
        {
            down += n.unwrap();
        }
        for (side, received) in [&mut pair.server, &mut pair.client].into_iter().zip(&mut received)
        {
            while let Poll::Ready(more) = side.recv(7000) {
                *received += more.unwrap().len();
            }
        }
        pair.settle();
    }
}

/// Makes a connection and returns what it holds before and after a burst.
fn held(pair: &mut Pair, is_secure: bool) -> [u64; 2] {
    let before = live();
    pair.connect();
    if is_secure {
        pair.secure_client();
        pair.secure_server();
        pair.shake_hands();
        assert!(pair.client.recv(100).is_pending());
    }
    pair.settle();
    let idle = live().wrapping_sub(before);
    burst(pair);
    for side in [&pair.client, &pair.server] {
        assert_eq!(side.reactor.held(side.io), 0);
    }
    [idle, live().wrapping_sub(before)]
}

#[test]
fn idle_session_holds_little_before_and_after_a_burst() {
    let mut pair = Pair::secure(0, window(3000), window(3000));
    burst(&mut pair); // buffers that all connections share have their size
    let mut all = [[0; 2]; 2];
    for number in 0..2 * COUNT {
        let is_secure = number % 2 == 0;
        let sums = all[usize::from(is_secure)].iter_mut();
        sums.zip(held(&mut pair, is_secure)).for_each(|(sum, held)| *sum += held);
    }
    let [plain, secure] = all;
    let sessions = [0, 1].map(|when| (secure[when] - plain[when]) / COUNT / 2);
    println!("before and after a burst: {sessions:?} bytes");
    assert!(sessions.iter().all(|held| *held <= IDLE), "{sessions:?} bytes");
}

#[test]
fn session_of_a_peer_that_stops_in_a_record_holds_its_part_only() {
    let (mut pair, mut raw) = with_raw_server(Faults::NONE);
    assert!(pair.client.recv(100).is_pending());
    raw.write(&content(RECORD, 1));
    let record = std::mem::take(&mut raw.out);
    let before = live();
    let (last, first) = record.split_last().unwrap();
    for part in first.chunks(1000) {
        pair.server.send_all(part);
        pair.settle();
        assert!(pair.client.recv(50_000).is_pending());
    }
    let held = live().wrapping_sub(before);
    assert!(held <= 2 * (RECORD as u64) + IDLE, "{held} bytes"); // buffers grow by doubling
    pair.server.send_all(&[*last]);
    pair.settle();
    // The content that the receiver has no room for waits in the session.
    assert!(matches!(pair.client.recv(100), Poll::Ready(Ok(part)) if part.len() == 100));
    let held = live().wrapping_sub(before);
    assert!(held <= 3 * (RECORD as u64) + IDLE, "{held} bytes");
    assert_eq!(pair.drain_client(4096).content.len(), RECORD - 100);
    let held = live().wrapping_sub(before).cast_signed();
    assert!(held <= IDLE.cast_signed(), "{held} bytes after the record");
}
