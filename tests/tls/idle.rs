//! Messages of the protocol on a connection that carries no content.

use std::time::Duration;

use tidegate::reactor::Ready;
use tidegate::reactor::sim::Faults;

use crate::pair::{Pair, Side};
use crate::raw::{Raw, VERSIONS, with_raw_client};

/// Returns a client with a server in the test, which has made a session ticket and not sent it.
fn with_ticket() -> (Pair, Raw) {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_client();
    let mut raw = Raw::server(VERSIONS[0]);
    let _ = pair.client.handshake();
    pair.settle();
    raw.receive(&mut pair.server);
    raw.flush(&mut pair.server);
    pair.settle();
    assert!(pair.client.handshake().is_ready());
    pair.settle();
    raw.receive(&mut pair.server);
    assert!(!raw.tls.is_handshaking() && !raw.out.is_empty(), "a ticket was made");
    (pair, raw)
}

/// Asserts that a receive has no result, and that the reactor knows.
fn assert_idle(side: &mut Side) {
    assert!(side.recv(100).is_pending());
    assert!(!side.reactor.ready(side.io).contains(Ready::READABLE));
}

#[test]
fn late_session_ticket_is_no_result() {
    let (mut pair, mut raw) = with_ticket();
    assert_idle(&mut pair.client);
    pair.wait(Duration::from_secs(60));
    raw.flush(&mut pair.server);
    pair.settle();
    assert!(pair.client.reactor.ready(pair.client.io).contains(Ready::READABLE));
    assert_idle(&mut pair.client);
    raw.write(b"content");
    raw.flush(&mut pair.server);
    pair.settle();
    assert_eq!(pair.drain_client(100).content, b"content");
}

#[test]
fn part_of_a_record_is_no_result() {
    let (mut pair, mut raw) = with_ticket();
    raw.write(b"content");
    while let [first, ..] = raw.out[..] {
        assert_idle(&mut pair.client);
        pair.server.send_all(&[first]);
        raw.out.remove(0);
        pair.settle();
    }
    assert_eq!(pair.drain_client(100).content, b"content");
}

#[test]
fn key_update_is_answered_and_no_result() {
    let (pair, raw) = with_ticket();
    update_keys(pair, raw, |pair| (&mut pair.client, &mut pair.server));
    let (pair, raw) = with_raw_client();
    update_keys(pair, raw, |pair| (&mut pair.server, &mut pair.client));
}

/// Updates the keys of `raw` several times; `sides` are that of the layer and that of `raw`.
fn update_keys(mut pair: Pair, mut raw: Raw, sides: fn(&mut Pair) -> (&mut Side, &mut Side)) {
    for round in 0..10 {
        raw.tls.refresh_traffic_keys().unwrap();
        raw.queue();
        raw.flush(sides(&mut pair).1);
        pair.settle();
        assert_idle(sides(&mut pair).0);
        assert!(sides(&mut pair).0.recv(100).is_pending());
        if round % 2 == 0 {
            sides(&mut pair).0.send_all(b"up");
            pair.settle();
            assert_eq!(raw.receive(sides(&mut pair).1), b"up");
            raw.write(b"down");
            raw.flush(sides(&mut pair).1);
            pair.settle();
            assert!(matches!(sides(&mut pair).0.recv(100), std::task::Poll::Ready(Ok(_))));
        }
    }
}
