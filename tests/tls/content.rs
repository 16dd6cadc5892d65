//! Content arrives as it was sent, whatever the network and the owners of the connection do.

use std::io::IoSlice;
use std::ops::Range;
use std::task::Poll;

use tidegate::reactor::sim::{self, Faults, Rng};

use crate::pair::{Pair, Side, content};

/// Most bytes that wait in a layer: a batch of records, and messages of the protocol.
const MOST_HELD: usize = 4 * (16 * 1024 + 64) + 1024;

/// Content in one direction.
struct Flow {
    content: Vec<u8>,
    sent: usize,
    /// Bytes of `content` that were offered; what was not sent is offered again.
    offered: usize,
    is_shut: bool,
    received: Vec<u8>,
    has_ended: bool,
}

impl Flow {
    fn draw(rng: &mut Rng) -> Self {
        let length = *rng.pick(&[0, 1, 100, 16_384, 40_000, 150_000]);
        let content = content(length, rng.next());
        let (received, is_shut, has_ended) = (Vec::new(), false, false);
        Self { content, sent: 0, offered: 0, is_shut, received, has_ended }
    }

    fn send(&mut self, side: &mut Side, rng: &mut Rng) {
        if self.sent == self.content.len() {
            let is_established = side.handshake().is_ready();
            if is_established && !std::mem::replace(&mut self.is_shut, true) {
                side.reactor.shutdown(side.io).unwrap();
            }
            return;
        }
        let most = *rng.pick(&[10, 1000, 50_000, 200_000]);
        let more = 1 + rng.below(most);
        self.offered = self.offered.max(self.sent + more).min(self.content.len());
        let mut rest = &self.content[self.sent..self.offered];
        let mut slices = Vec::new();
        while !rest.is_empty() && slices.len() < 12 {
            let part = if slices.len() == 11 { rest.len() } else { rng.below(rest.len() + 1) };
            slices.push(IoSlice::new(&rest[..part]));
            rest = &rest[part..];
        }
        slices.push(IoSlice::new(rest));
        if let Poll::Ready(sent) = side.reactor.send(side.io, &slices) {
            let sent = sent.unwrap();
            assert!(sent > 0 && sent <= self.offered - self.sent);
            self.sent += sent;
        }
        let held = side.reactor.held(side.io);
        assert!(held <= MOST_HELD, "{held} bytes wait");
    }

    fn receive(&mut self, side: &mut Side, rng: &mut Rng) {
        let room = *rng.pick(&[1, 2, 100, 5000, 16_384, 70_000]);
        match side.recv(room) {
            Poll::Pending => {}
            Poll::Ready(Ok(more)) if more.is_empty() => self.has_ended = true,
            Poll::Ready(Ok(more)) => self.received.extend(more),
            Poll::Ready(Err(error)) => panic!("{error}"),
        }
    }

    fn judge(&self) {
        assert!(self.content.starts_with(&self.received));
        assert!(!self.has_ended || self.received.len() == self.content.len());
    }
}

/// Returns the seeds to run: 300, or as many as `TIDEGATE_SEEDS` says.
fn seeds() -> Range<u64> {
    let seeds = std::env::var("TIDEGATE_SEEDS").ok();
    0..seeds.map_or(300, |seeds| seeds.parse().expect("TIDEGATE_SEEDS is a number"))
}

fn faults(rng: &mut Rng) -> Faults {
    if rng.percent(30) { Faults::NONE } else { Faults::SOME }
}

#[test]
fn both_sides_receive_what_the_other_has_sent() {
    sim::explore(seeds(), |seed| {
        let mut rng = Rng::new(seed);
        let mut pair = Pair::plain(seed, faults(&mut rng), faults(&mut rng));
        pair.secure_client();
        pair.secure_server();
        if rng.percent(70) {
            pair.shake_hands(); // otherwise, the operations do it
        }
        let (mut up, mut down) = (Flow::draw(&mut rng), Flow::draw(&mut rng));
        let mut steps = 0;
        while !up.has_ended || !down.has_ended {
            match rng.below(5) {
                0 => up.send(&mut pair.client, &mut rng),
                1 => down.send(&mut pair.server, &mut rng),
                2 if !down.has_ended => down.receive(&mut pair.client, &mut rng),
                3 if !up.has_ended => up.receive(&mut pair.server, &mut rng),
                _ if rng.percent(20) => pair.settle(),
                _ => _ = pair.client.turn() & pair.server.turn(),
            }
            steps += 1;
            assert!(steps < 3_000_000, "the content does not arrive");
        }
        up.judge();
        down.judge();
        assert_eq!((pair.client.reactor.held(pair.client.io), up.sent), (0, up.content.len()));
    });
}

#[test]
fn reported_content_has_left_for_a_receiver_that_reads_all() {
    sim::explore(seeds(), |seed| {
        let mut rng = Rng::new(seed);
        let mut pair = Pair::secure(seed, faults(&mut rng), faults(&mut rng));
        let is_up = rng.percent(50);
        let mut flow = Flow::draw(&mut rng);
        for _ in 0..rng.below(100) {
            match rng.below(4) {
                0 | 1 if flow.sent < flow.content.len() => {
                    flow.send(if is_up { &mut pair.client } else { &mut pair.server }, &mut rng);
                }
                2 => {
                    flow.receive(if is_up { &mut pair.server } else { &mut pair.client }, &mut rng);
                }
                _ => _ = pair.client.turn() & pair.server.turn(),
            }
        }
        if is_up {
            pair.client.die();
        } else {
            pair.server.die();
        }
        let rest = if is_up { pair.drain_server(70_000) } else { pair.drain_client(70_000) };
        flow.received.extend(&rest.content);
        flow.judge();
        assert!(flow.received.len() >= flow.sent && flow.received.len() <= flow.offered);
        assert!(rest.is_cut(), "{:?}", rest.end);
    });
}

#[test]
fn content_that_is_offered_during_the_handshake_is_sent_after_it() {
    let mut pair = Pair::plain(0, Faults::NONE, Faults::NONE);
    pair.secure_client();
    pair.secure_server();
    assert!(pair.client.send(b"early").is_pending() && pair.server.send(b"early").is_pending());
    pair.shake_hands();
    pair.client.send_all(b"early");
    assert_eq!(pair.drain_server(100).content, b"early");
}
