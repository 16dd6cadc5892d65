//! Ends of connections: of one direction, and of both.

use std::time::Duration;

use tidegate::reactor::sim::Faults;

use crate::pair::{Pair, content, window};
use crate::raw::{Raw, VERSIONS};

/// Content whose record fills a window of [`FULL`] bytes.
const CONTENT: [u8; 178] = [7; 178];
const FULL: usize = CONTENT.len() + 22;
/// Time that a peer has to take what is left.
const TIME: Duration = Duration::from_secs(5);
/// Most connections that wait for their peers.
const MOST: usize = 1024;

/// Returns a connection whose client has a window of `bytes`, and nothing in it.
fn narrow(bytes: usize) -> Pair {
    let mut pair = Pair::secure(0, window(bytes), Faults::NONE);
    empty(&mut pair);
    pair
}

/// Takes the session ticket out of the window.
fn empty(pair: &mut Pair) {
    for _ in 0..5 {
        assert!(pair.client.recv(1000).is_pending(), "only a session ticket was sent");
        pair.settle();
    }
}

/// Fills the window and closes; the alert has no room.
fn close_full(pair: &mut Pair) {
    pair.server.send_all(&CONTENT);
    pair.server.close();
    pair.settle();
}

#[test]
fn each_side_sends_on_after_the_other_has_ended() {
    for client_ends_first in [true, false] {
        let mut pair = Pair::without_faults();
        let answer = content(16_000, 1);
        if client_ends_first {
            pair.client.send_all(b"question");
            pair.client.reactor.shutdown(pair.client.io).unwrap();
            let received = pair.drain_server(1000);
            assert!(received.is_whole() && received.content == b"question");
            pair.server.send_all(&answer);
            pair.server.reactor.shutdown(pair.server.io).unwrap();
        } else {
            pair.server.send_all(b"question");
            pair.server.reactor.shutdown(pair.server.io).unwrap();
            let received = pair.drain_client(1000);
            assert!(received.is_whole() && received.content == b"question");
            pair.client.send_all(&answer);
            pair.client.reactor.shutdown(pair.client.io).unwrap();
        }
        pair.settle();
        let received =
            if client_ends_first { pair.drain_client(1000) } else { pair.drain_server(1000) };
        assert!(received.is_whole() && received.content == answer);
    }
}

#[test]
fn content_follows_the_end_of_the_other_direction_in_every_version() {
    for version in VERSIONS {
        let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
        pair.secure_client();
        let mut raw = Raw::server(version);
        for _ in 0..5 {
            let _ = pair.client.handshake();
            pair.settle();
            raw.receive(&mut pair.server);
            raw.flush(&mut pair.server);
            pair.settle();
        }
        assert!(pair.client.handshake().is_ready() && !raw.tls.is_handshaking());
        raw.write(b"last");
        raw.end();
        raw.flush(&mut pair.server);
        pair.settle();
        let received = pair.drain_client(100);
        assert!(received.is_whole() && received.content == b"last", "{received:?}");
        pair.client.send_all(b"more");
        pair.client.reactor.shutdown(pair.client.io).unwrap();
        pair.settle();
        assert_eq!(raw.receive(&mut pair.server), b"more");
        assert!(raw.has_ended);
    }
}

#[test]
fn operations_after_the_own_end_fail() {
    let mut pair = Pair::without_faults();
    pair.client.reactor.shutdown(pair.client.io).unwrap();
    assert!(matches!(pair.client.send(b"late"), std::task::Poll::Ready(Err(_))));
    pair.server.send_all(b"still received");
    pair.settle();
    assert_eq!(pair.drain_client(100).content, b"still received");
    assert!(pair.drain_server(100).is_whole());
}

#[test]
fn close_declares_the_end_if_all_content_was_reported_as_sent() {
    let (mut whole, mut cut) = (0, 0);
    for bytes in FULL - 10..FULL + 30 {
        let mut pair = narrow(bytes);
        let is_sent = pair.server.send(&CONTENT).is_ready();
        pair.server.close();
        pair.settle();
        // Exactly the alert is left to send.
        assert_eq!(
            pair.server.reactor.next_deadline().is_some(),
            (FULL..FULL + 24).contains(&bytes)
        );
        let received = pair.drain_client(1000);
        assert_eq!(received.is_whole(), is_sent, "window {bytes}: {:?}", received.end);
        assert!(is_sent || received.is_cut());
        assert_eq!(received.content.len(), if is_sent { CONTENT.len() } else { 0 });
        assert_eq!(pair.server.reactor.next_deadline(), None, "nothing is kept");
        (whole, cut) = (whole + usize::from(is_sent), cut + usize::from(!is_sent));
    }
    assert!(whole > 0 && cut > 0);
}

#[test]
fn end_is_declared_over_short_writes() {
    for seed in 0..50 {
        let short = Faults { short: 100, ..Faults::NONE };
        let mut pair = Pair::secure(seed, Faults::NONE, short);
        let mut sent = 0;
        while sent < CONTENT.len() {
            if let std::task::Poll::Ready(n) = pair.server.send(&CONTENT[sent..]) {
                sent += n.unwrap();
            }
            pair.settle();
        }
        pair.server.close();
        let received = pair.drain_client(1000);
        assert!(received.is_whole() && received.content == CONTENT);
    }
}

#[test]
fn closed_connection_waits_for_its_peer_for_five_seconds() {
    for (time, is_whole) in [(TIME - Duration::from_millis(1), true), (TIME, false)] {
        let mut pair = narrow(FULL);
        close_full(&mut pair);
        let deadline = pair.server.reactor.next_deadline().unwrap();
        let now = pair.server.reactor.now().mono;
        assert_eq!(deadline.duration_since(now), TIME);
        pair.wait(time);
        let received = pair.drain_client(1000);
        assert_eq!(received.content, CONTENT);
        assert!(received.is_whole() == is_whole && received.is_cut() != is_whole);
        assert_eq!(pair.server.reactor.next_deadline(), None);
    }
}

#[test]
fn at_most_1024_closed_connections_wait() {
    let mut pair = narrow(FULL);
    let mut clients = Vec::new();
    for number in 0..MOST + 2 {
        if number > 0 {
            pair.connect();
            pair.secure_client();
            pair.secure_server();
            pair.shake_hands();
            empty(&mut pair);
        }
        if number == MOST + 1 {
            // One has left, so that there is room for one more.
            let last = std::mem::replace(&mut pair.client.io, clients[0]);
            assert!(pair.drain_client(1000).is_whole());
            pair.client.io = last;
        }
        close_full(&mut pair);
        clients.push(pair.client.io);
    }
    for (number, is_whole) in [(1, true), (MOST - 1, true), (MOST, false), (MOST + 1, true)] {
        pair.client.io = clients[number];
        let received = pair.drain_client(1000);
        assert_eq!(received.content, CONTENT, "all that was reported as sent has left");
        assert_eq!(received.is_whole(), is_whole, "connection {number}");
    }
}

#[test]
fn nothing_is_kept_for_a_connection_that_has_failed_or_not_begun() {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_server();
    pair.settle();
    pair.server.close();
    assert_eq!(pair.server.reactor.next_deadline(), None);
    let mut pair = narrow(FULL);
    pair.client.reactor.reset(pair.client.io);
    pair.settle();
    pair.server.close();
    assert_eq!(pair.server.reactor.next_deadline(), None);
    let mut pair = narrow(FULL);
    close_full(&mut pair);
    pair.client.reactor.reset(pair.client.io);
    pair.settle();
    assert_eq!(pair.server.reactor.next_deadline(), None, "a reset ends the wait");
}
