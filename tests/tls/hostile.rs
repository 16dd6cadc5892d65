//! Peers that break rules, or keep them and cause work: each ends in an error or is bounded.

use std::io;
use std::task::Poll;

use rustls::ContentType;
use tidegate::reactor::sim::{self, Faults, Rng};
use tidegate::tls::{NotTls, Problem, ProblemKind};
use tidegate::work;

use crate::pair::{Pair, Side, content, window};
use crate::raw::{Forge, Raw, VERSIONS, with_raw_client, with_raw_server};

/// Most steps of one operation: a batch of records, or a flight of messages and what was received.
const MOST_STEPS: u64 = 500_000;
/// Most bytes that the layer holds, to be sent to a peer that sends only.
const MOST_HELD: usize = 4096;

/// Runs an operation and checks its work.
fn metered<T>(operation: impl FnOnce() -> T) -> T {
    let before = work::counted();
    let result = operation();
    let steps = work::counted() - before;
    assert!(steps <= MOST_STEPS, "an operation took {steps} steps");
    result
}

/// Returns a server without a handshake, whose client is the test.
fn server() -> Pair {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_server();
    pair
}

/// Returns a server with a handshake, and the maker of its client's records.
fn server_with_forge() -> (Pair, Forge) {
    let (pair, raw) = with_raw_client();
    (pair, raw.forge())
}

/// Returns a record with a plain header.
fn plain(typ: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[typ, 3, 3], &length[..], payload].concat()
}

/// Sends bytes to a side of a handshake until that fails; returns the error, and the bytes sent.
fn flood(pair: &mut Pair, mut next: impl FnMut() -> Vec<u8>, most: usize) -> (io::Error, usize) {
    let mut sent = 0;
    while sent < most {
        let bytes = next();
        sent += bytes.len();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if let Poll::Ready(Ok(n)) = pair.client.send(rest) {
                rest = &rest[n..];
            }
            pair.settle();
            if let Poll::Ready(Err(error)) = metered(|| pair.server.handshake()) {
                return (error, sent);
            }
            assert!(pair.server.reactor.held(pair.server.io) <= MOST_HELD);
        }
    }
    panic!("{sent} bytes do not end the handshake");
}

/// Receives until the connection fails, or nothing is left to receive.
fn receive_all(side: &mut Side) -> Result<usize, io::Error> {
    let mut length = 0;
    let mut idle = 0;
    while idle < 3 {
        match metered(|| side.recv(4096)) {
            Poll::Ready(Ok(more)) if more.is_empty() => return Ok(length),
            Poll::Ready(Ok(more)) => length += more.len(),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => {
                idle += 1;
                side.turn();
            }
        }
        assert!(side.reactor.held(side.io) <= MOST_HELD);
    }
    Ok(length)
}

#[test]
fn garbage_never_completes_a_handshake() {
    sim::explore(0..500, |seed| {
        let mut rng = Rng::new(seed);
        let faults = if rng.percent(50) { Faults::NONE } else { Faults::SOME };
        let mut pair = Pair::plain(seed, Faults::NONE, faults);
        let is_server = rng.percent(50);
        if is_server {
            pair.secure_server();
        } else {
            pair.secure_client();
        }
        let mut garbage = content(1 + rng.below(5000), rng.next());
        if rng.percent(70) {
            let length = u16::try_from(rng.below(garbage.len() + 100)).unwrap().to_be_bytes();
            let header = [22, 3, 1, length[0], length[1], 1 + rng.next().to_le_bytes()[0] % 2, 0];
            garbage.splice(..0, header);
        }
        let (from, to) = if is_server {
            (&mut pair.client, &mut pair.server)
        } else {
            (&mut pair.server, &mut pair.client)
        };
        if from.send(&garbage).is_pending() {
            return;
        }
        from.reactor.shutdown(from.io).unwrap();
        let mut ends = false;
        for _ in 0..1000 {
            from.turn();
            to.turn();
            pair.network.advance(std::time::Duration::from_millis(1));
            match metered(|| to.handshake()) {
                Poll::Ready(Ok(())) => panic!("garbage is a handshake"),
                Poll::Ready(Err(error)) => {
                    let _ = Problem::of(&error).to_string();
                    ends = true;
                    break;
                }
                Poll::Pending => {}
            }
        }
        assert!(ends, "the handshake does not end");
        assert!(matches!(to.send(b"content"), Poll::Pending | Poll::Ready(Err(_))));
        assert!(!matches!(to.recv(100), Poll::Ready(Ok(_))));
        to.close();
    });
}

#[test]
fn other_protocols_are_told_apart() {
    for (bytes, is_text) in [(&b"GET / HTTP/1.1\r\n"[..], true), (&[21, 3, 3, 0, 2], false)] {
        let mut pair = server();
        pair.client.send_all(bytes);
        pair.settle();
        let Poll::Ready(Err(error)) = pair.server.handshake() else { panic!("no error") };
        assert_eq!(Problem::of(&error).kind, ProblemKind::NotTls);
        let other = error.get_ref().unwrap().downcast_ref::<NotTls>().unwrap();
        assert_eq!((&other.received[..], other.is_text()), (bytes, is_text));
    }
}

#[test]
fn first_message_of_any_length_up_to_64_kib_is_read() {
    for protocols in [0, 100, 200, 300, 500] {
        let mut pair = server();
        let mut raw = Raw::client_with_protocols(protocols);
        raw.queue();
        let length = raw.out.len();
        for _ in 0..100 {
            raw.flush(&mut pair.client);
            pair.settle();
            let handshake = pair.server.handshake();
            assert!(!matches!(handshake, Poll::Ready(Err(_))), "{length} bytes: {handshake:?}");
            pair.settle();
            raw.receive(&mut pair.client);
        }
        assert!(pair.server.handshake().is_ready(), "{length} bytes");
    }
}

#[test]
fn oversized_first_message_is_refused() {
    // A message of 16 MiB in records of full length, and in records of 100 bytes.
    for length in [16_384, 100] {
        let mut pair = server();
        let mut is_first = true;
        let record = || {
            let mut payload = vec![0; length];
            if std::mem::replace(&mut is_first, false) {
                payload[..4].copy_from_slice(&[1, 0xff, 0xff, 0xff]);
            }
            plain(22, &payload)
        };
        let (error, sent) = flood(&mut pair, record, 1 << 20);
        assert!(sent <= 70_000, "{sent} bytes were read");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        pair.settle();
        let alert = pair.client.recv(100);
        assert!(matches!(&alert, Poll::Ready(Ok(alert)) if alert[0] == 21), "{error} {alert:?}");
    }
}

#[test]
fn endless_first_message_is_refused() {
    // The longest message that is allowed never ends: its records carry a byte each, then none.
    for (payload, most) in [(&[0][..], 1 << 20), (&[], 1 << 20)] {
        let mut pair = server();
        pair.client.send_all(&plain(22, &[1, 0, 0xff, 0xf0]));
        let records = plain(22, payload).repeat(100);
        let (error, sent) = flood(&mut pair, || records.clone(), most);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(sent <= 500_000, "{sent} bytes were read");
    }
}

#[test]
fn floods_of_plain_records_end_the_handshake() {
    let change_cipher_spec = plain(20, &[1]);
    let warning = plain(21, &[1, 90]);
    for record in [change_cipher_spec, warning] {
        let mut pair = server();
        let mut raw = Raw::client(VERSIONS[0]);
        raw.queue();
        raw.flush(&mut pair.client);
        pair.settle();
        assert!(pair.server.handshake().is_pending());
        let (_, sent) = flood(&mut pair, || record.clone(), 10_000);
        assert!(sent <= 10 * record.len(), "{sent} bytes were read");
    }
}

#[test]
fn floods_of_records_without_content_end_the_connection() {
    let floods: [(ContentType, &[u8]); 5] = [
        (ContentType::ApplicationData, &[]),
        (ContentType::Handshake, &[]),
        (ContentType::Alert, &[1, 90]),
        (ContentType::Handshake, &[24, 0, 0, 1, 0]),
        (ContentType::Handshake, &[24, 0, 0, 1, 1]),
    ];
    for (typ, payload) in floods {
        let (mut pair, mut forge) = server_with_forge();
        let before = pair.server.reactor.held(pair.server.io);
        let mut error = None;
        for _ in 0..100 {
            // Only the first key update can be read: the keys of the forge stay the same.
            pair.client.send_all(&forge.record(typ, payload));
            pair.settle();
            if let Err(failed) = receive_all(&mut pair.server) {
                error = Some(failed);
                break;
            }
        }
        let error = error.expect("the flood ends the connection");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(pair.server.reactor.held(pair.server.io) <= before + 100);
        assert!(matches!(pair.server.send(b"content"), Poll::Ready(Err(_))));
    }
}

#[test]
fn key_updates_of_a_peer_that_reads_nothing_are_bounded() {
    let (mut pair, mut raw) = with_raw_client();
    let mut ends = false;
    for _ in 0..20_000 {
        raw.tls.refresh_traffic_keys().unwrap();
        raw.write(b"x"); // content between two key updates, which makes them look regular
        raw.flush(&mut pair.client);
        pair.settle();
        assert!(raw.out.is_empty());
        let received = metered(|| pair.server.recv(100));
        if matches!(received, Poll::Ready(Err(_))) {
            ends = true;
            break;
        }
        assert!(matches!(received, Poll::Ready(Ok(content)) if content == b"x"));
        let held = pair.server.reactor.held(pair.server.io);
        assert!(held <= MOST_HELD, "{held} bytes wait");
    }
    assert!(!ends, "each key update is regular");
}

#[test]
fn flood_of_session_tickets_takes_turns() {
    let (mut pair, raw) = with_raw_server(window(1 << 20));
    let mut forge = raw.forge();
    let ticket = [
        &[4, 0, 0x03, 0xf5][..], // NewSessionTicket of 1013 bytes
        &[0, 0, 0x1c, 0x20, 1, 2, 3, 4, 0],
        &[0x03, 0xe8],
        &[7; 1000],
        &[0, 0],
    ];
    for _ in 0..400 {
        pair.server.send_all(&forge.record(ContentType::Handshake, &ticket.concat()));
    }
    pair.server.send_all(&forge.record(ContentType::ApplicationData, b"content"));
    pair.settle();
    let mut turns = 0;
    let content = loop {
        match metered(|| pair.client.recv(100)) {
            Poll::Ready(content) => break content.unwrap(),
            // The owner is driven again, although nothing more arrives.
            Poll::Pending => assert!(!pair.client.turn(), "the owner is not driven"),
        }
        turns += 1;
    };
    assert_eq!(content, b"content");
    assert!((4..20).contains(&turns), "{turns} turns");
}

#[test]
fn records_of_unknown_types_and_wrong_keys_end_the_connection() {
    let (mut pair, mut forge) = server_with_forge();
    pair.client.send_all(&forge.record(ContentType::Unknown(99), b"content"));
    pair.settle();
    assert!(receive_all(&mut pair.server).is_err());
    let (mut pair, mut forge) = server_with_forge();
    let mut record = forge.record(ContentType::ApplicationData, b"content");
    record[7] ^= 1;
    pair.client.send_all(&record);
    pair.settle();
    assert!(receive_all(&mut pair.server).is_err());
    assert!(receive_all(&mut pair.server).is_err(), "the error stays");
}
