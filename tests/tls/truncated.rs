//! Streams that are cut at any byte never look whole.

use tidegate::reactor::sim::Faults;

use rustls::SupportedProtocolVersion;

use crate::pair::{Pair, Received};
use crate::raw::{Raw, VERSIONS};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nthe content ends with the stream";

/// The bytes that a peer made, up to the place where its content begins, and in all.
struct Lengths {
    before: usize,
    all: usize,
}

/// Has `raw` shake hands with the other side, and send content and its end; but no more than `most`
/// bytes of that.
fn exchange(pair: &mut Pair, mut raw: Raw, most: usize, is_server: bool) -> Lengths {
    let (mut sent, mut before, mut is_done) = (0, 0, false);
    for _ in 0..10 {
        let side = if is_server { &mut pair.server } else { &mut pair.client };
        raw.receive(side);
        if !raw.tls.is_handshaking() && !std::mem::replace(&mut is_done, true) {
            before = sent + raw.out.len();
            raw.write(&RESPONSE[..20]);
            raw.write(&RESPONSE[20..]);
            raw.end();
        }
        raw.out.truncate(most - sent);
        sent += raw.out.len();
        raw.flush(side);
        if sent == most {
            break;
        }
        let side = if is_server { &mut pair.client } else { &mut pair.server };
        let _ = side.handshake();
        pair.settle();
    }
    let side = if is_server { &mut pair.server } else { &mut pair.client };
    side.reactor.shutdown(side.io).unwrap();
    Lengths { before, all: sent }
}

fn cut_client(version: &'static SupportedProtocolVersion, most: usize) -> (Lengths, Received) {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_client();
    let _ = pair.client.handshake();
    pair.settle();
    let lengths = exchange(&mut pair, Raw::server(version), most, true);
    pair.settle();
    (lengths, pair.drain_client(64))
}

fn cut_server(version: &'static SupportedProtocolVersion, most: usize) -> (Lengths, Received) {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_server();
    let lengths = exchange(&mut pair, Raw::client(version), most, false);
    pair.settle();
    (lengths, pair.drain_server(64))
}

type Cut = fn(&'static SupportedProtocolVersion, usize) -> (Lengths, Received);

fn judge(cut: Cut) {
    for version in VERSIONS {
        let (lengths, whole) = cut(version, usize::MAX);
        assert!(whole.is_whole() && whole.content == RESPONSE, "{whole:?}");
        assert!(lengths.all > lengths.before + RESPONSE.len());
        for most in 0..lengths.all {
            let (_, received) = cut(version, most);
            assert!(RESPONSE.starts_with(&received.content));
            assert!(received.is_cut(), "{version:?} at {most} of {}: {received:?}", lengths.all);
        }
        let (_, received) = cut(version, lengths.all);
        assert!(received.is_whole() && received.content == RESPONSE);
    }
}

#[test]
fn client_sees_a_cut_at_every_byte() {
    judge(cut_client);
}

#[test]
fn server_sees_a_cut_at_every_byte() {
    judge(cut_server);
}

#[test]
fn client_sees_a_reset_as_an_error() {
    let mut pair = Pair::without_faults();
    pair.server.send_all(b"content");
    pair.settle();
    assert_eq!(pair.drain_client(64).content, b"content");
    pair.server.reactor.reset(pair.server.io);
    pair.settle();
    assert!(pair.drain_client(64).is_cut());
}
