//! Bodies compared with a simple model: a vector of all bytes, and an offset per reader.

use proptest::prelude::*;

use crate::reactor::{Arena, Driven};

use super::*;

struct Thing;
impl Driven for Thing {
    const KIND: u8 = 0;
}

/// Records the tokens that were woken.
#[derive(Default)]
struct Woken(Vec<Token>);

impl Wake for Woken {
    fn wake(&mut self, token: Token) {
        self.0.push(token);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    Attach,
    /// A reader reads up to a number of bytes.
    Read(usize, usize),
    Detach(usize),
    Release,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        5 => (1usize..9000).prop_map(Op::Push),
        2 => Just(Op::Attach),
        8 => (any::<usize>(), 1usize..20_000).prop_map(|(who, n)| Op::Read(who, n)),
        1 => any::<usize>().prop_map(Op::Detach),
        1 => Just(Op::Release),
    ];
    prop::collection::vec(op, 1..80)
}

fn byte(at: u64) -> u8 {
    (at % 251).to_le_bytes()[0]
}

fn peeked(body: &Body, key: ReaderKey, max: u64) -> Vec<u8> {
    let mut slices = Slices::new();
    let n = body.peek(key, max, &mut slices);
    let bytes: Vec<u8> = slices.as_slice().iter().flat_map(|slice| slice.to_vec()).collect();
    assert_eq!(bytes.len() as u64, n);
    bytes
}

proptest! {
    #[test]
    fn readers_get_the_same_bytes_and_read_content_is_released(
        ops in ops(),
        all in any::<bool>(),
        window in 1u64..50_000,
    ) {
        let token = Arena::new().insert(Thing).token();
        let retain = if all { Retention::Full } else { Retention::Window };
        let mut body = Body::new(token, None, retain, window);
        let mut wake = Woken::default();
        let mut readers: Vec<(ReaderKey, u64)> = Vec::new();
        for op in ops {
            match op {
                Op::Push(n) => {
                    let n = (n as u64).min(body.room(u64::MAX));
                    let bytes: Vec<u8> = (body.end()..body.end() + n).map(byte).collect();
                    body.push(&bytes, &mut wake);
                }
                Op::Attach => {
                    if let Some(key) = body.attach(token) {
                        readers.push((key, 0));
                    } else {
                        prop_assert_eq!(body.retention(), Retention::Window, "retained content has its start");
                    }
                }
                Op::Read(who, n) if !readers.is_empty() => {
                    let count = readers.len();
                    let (key, at) = &mut readers[who % count];
                    let bytes = peeked(&body, *key, n as u64);
                    let expected: Vec<u8> = (*at..).take(bytes.len()).map(byte).collect();
                    prop_assert_eq!(&bytes, &expected);
                    prop_assert!(!bytes.is_empty() || body.available(*key) == 0);
                    *at += bytes.len() as u64;
                    body.advance(*key, bytes.len() as u64, &mut wake);
                }
                Op::Detach(who) if !readers.is_empty() => {
                    let (key, _) = readers.swap_remove(who % readers.len());
                    body.detach(key, &mut wake);
                }
                Op::Release => body.stop_retaining(),
                Op::Read(..) | Op::Detach(_) => {}
            }
            body.check();
            let slowest = readers.iter().map(|&(_, at)| at).min();
            if let (Retention::Window, Some(slowest)) = (body.retention(), slowest) {
                let unread = body.end() - slowest;
                prop_assert!(body.held() <= unread + 2 * LARGEST_CHUNK as u64, "content that was read is released");
            }
        }
    }

    #[test]
    fn retained_content_equals_written_content(pieces in prop::collection::vec(1usize..70_000, 0..6)) {
        let token = Arena::new().insert(Thing).token();
        let mut body = Body::new(token, None, Retention::Full, u64::MAX);
        let mut written = Vec::new();
        for piece in pieces {
            let bytes: Vec<u8> = (0..piece as u64).map(byte).collect();
            body.push(&bytes, &mut Woken::default());
            written.extend_from_slice(&bytes);
        }
        let kept: Vec<u8> = body.content().from(0).flatten().copied().collect();
        prop_assert_eq!(kept, written);
    }
}

#[test]
fn parked_reader_is_woken_once_for_more_bytes_and_for_the_end() {
    let mut arena = Arena::new();
    let (writer, reader) = (arena.insert(Thing).token(), arena.insert(Thing).token());
    let mut body = Body::new(writer, None, Retention::Window, 100);
    let key = body.attach(reader).unwrap();
    let mut wake = Woken::default();
    body.park(key);
    body.push(b"a", &mut wake);
    body.push(b"b", &mut wake);
    assert_eq!(wake.0, [reader], "a reader that is awake is not woken again");
    body.park(key);
    body.finish(State::Complete(None), &mut wake);
    assert_eq!(wake.0, [reader, reader]);
}

#[test]
fn writer_without_room_is_woken_when_half_of_the_window_is_read() {
    let mut arena = Arena::new();
    let (writer, reader) = (arena.insert(Thing).token(), arena.insert(Thing).token());
    let mut body = Body::new(writer, None, Retention::Window, 100);
    let key = body.attach(reader).unwrap();
    let mut wake = Woken::default();
    body.push(&[0; 100], &mut Woken::default());
    assert_eq!(body.room(u64::MAX), 0);
    body.advance(key, 49, &mut wake);
    assert!(wake.0.is_empty());
    body.advance(key, 1, &mut wake);
    assert_eq!(wake.0, [writer]);
}

#[test]
fn slow_readers_limit_the_writer_only_once_content_is_released() {
    let token = Arena::new().insert(Thing).token();
    let mut body = Body::new(token, None, Retention::Full, 100);
    let (fast, slow) = (body.attach(token).unwrap(), body.attach(token).unwrap());
    let mut wake = Woken::default();
    body.push(&[0; 100], &mut wake);
    body.advance(fast, 100, &mut wake);
    assert_eq!(body.room(u64::MAX), 100, "the fastest reader limits the writer");
    body.stop_retaining();
    assert_eq!(body.room(u64::MAX), 0, "the slowest reader limits the writer");
    body.detach(slow, &mut wake);
    assert_eq!(body.room(u64::MAX), 100);
    assert!(body.held() <= FIRST_CHUNK as u64, "content that was read is released");
}

#[test]
fn second_end_has_no_effect() {
    let token = Arena::new().insert(Thing).token();
    let mut body = Body::new(token, None, Retention::Full, 100);
    body.finish(State::Failed(ExchangeError::OriginGone), &mut Woken::default());
    body.finish(State::Complete(None), &mut Woken::default());
    assert!(matches!(body.state(), State::Failed(ExchangeError::OriginGone)));
    assert!(body.is_over());
}

/// Returns the steps that readers take to read a few chunks as they arrive.
fn reading(readers: usize, retain: Retention) -> u64 {
    let mut arena = Arena::new();
    let token = arena.insert(Thing).token();
    let mut body = Body::new(token, None, retain, 100_000);
    let keys: Vec<ReaderKey> = (0..readers).map(|_| body.attach(token).unwrap()).collect();
    let before = work::counted();
    for _ in 0..4 {
        body.push(&[0; 1000], &mut Woken::default());
        for key in &keys {
            assert!(body.room(u64::MAX) > 0 && body.has_readers());
            body.advance(*key, 1000, &mut Woken::default());
            body.park(*key);
        }
        body.check();
    }
    keys.into_iter().for_each(|key| body.detach(key, &mut Woken::default()));
    work::counted() - before
}

#[test]
fn reader_among_many_costs_no_more_than_among_few() {
    for retain in [Retention::Full, Retention::Window] {
        let (few, many) = (reading(10, retain), reading(5_000, retain));
        assert!(many < 600 * few, "{many} steps for 5,000 readers, {few} for 10");
    }
}

#[test]
fn detached_readers_are_forgotten() {
    let token = Arena::new().insert(Thing).token();
    let mut body = Body::new(token, None, Retention::Full, 100);
    let stays = body.attach(token).unwrap();
    for _ in 0..1000 {
        let leaves = body.attach(token).unwrap();
        body.detach(leaves, &mut Woken::default());
    }
    body.check();
    let mut wake = Woken::default();
    body.push(b"a", &mut wake);
    assert_eq!(wake.0, [token], "only the remaining reader is woken");
    assert_eq!(body.available(stays), 1);
}
