//! The state machine of shipping.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidegate::shipping::{Answer, Retry, ShipEvent, ShipLimits, decode_segment, encode_segment};

use crate::world::{LIMITS, World};

const SPOOL: ShipLimits = ShipLimits { spool: 10_000, memory: 300, ..LIMITS };

#[test]
fn lines_are_sent_once_they_are_old_enough() {
    let mut world = World::new(LIMITS);
    world.line(1);
    let first = world.now;
    world.now += Duration::from_millis(600);
    world.line(2);
    assert_eq!(world.sent, None);
    world.wait();
    assert_eq!(world.now, first + Duration::from_secs(1));
    assert_eq!(world.sent.as_deref(), Some("line   1\nline   2\n"));
}

#[test]
fn full_batch_is_sent_at_once() {
    let mut world = World::new(LIMITS);
    world.lines(0..11);
    assert_eq!(world.sent, None, "99 bytes are less than a batch");
    world.line(11);
    assert_eq!(world.sent.as_ref().map(String::len), Some(99));
}

#[test]
fn lines_are_gathered_while_a_batch_is_in_flight() {
    let mut world = World::new(LIMITS);
    world.line(0);
    world.wait();
    world.lines(1..5);
    world.now += Duration::from_secs(30);
    assert_eq!(world.shipper.deadline(), None, "the answer comes first");
    world.take();
    assert_eq!(world.sent.as_ref().map(String::len), Some(36));
}

#[test]
fn failed_batch_is_sent_again_as_it_was() {
    let mut world = World::new(LIMITS);
    world.line(0);
    world.wait();
    let batch = world.sent.clone();
    let begin = world.now;
    world.fail();
    world.line(1);
    world.wait();
    assert_eq!(world.now - begin, Duration::from_millis(375));
    assert_eq!((&world.sent, &*world.numbers), (&batch, &[1, 1][..]));
    world.fail();
    let second = world.now;
    world.wait();
    assert_eq!(world.now - second, Duration::from_millis(750));
    world.drain();
    assert_eq!(world.numbers_taken(), [0, 1]);
    assert_eq!(
        world.said,
        ["the server takes no lines: refused; they are kept", "the server takes lines again"]
    );
}

#[test]
fn time_that_the_server_asks_for_is_waited() {
    let mut world = World::new(LIMITS);
    world.line(0);
    world.wait();
    let begin = world.now;
    world.answer(Answer::Later(Duration::from_secs(90), "status 429".to_owned()));
    world.wait();
    assert_eq!(world.now - begin, Duration::from_secs(90));
}

#[test]
fn refused_batch_is_dropped_and_counted() {
    let mut world = World::new(LIMITS);
    world.lines(0..12);
    world.answer(Answer::Refused("status 400: bad".to_owned()));
    world.drain();
    assert_eq!((world.shipper.lost(), world.numbers_taken()), (11, vec![11]));
    assert_eq!(world.said, ["11 lines were lost: the server refuses them: status 400: bad"]);
}

#[test]
fn missed_lines_are_reported_and_counted_elsewhere() {
    let mut world = World::new(LIMITS);
    world.handle(ShipEvent::Missed(3));
    assert_eq!(
        (world.shipper.lost(), &*world.said),
        (0, &["3 lines were lost: too many waited (log-buffer)".to_owned()][..])
    );
}

#[test]
fn losses_are_reported_at_most_every_ten_seconds() {
    let mut world = World::new(LIMITS);
    for number in 0..20 {
        world.line(number);
        while world.sent.is_none() && world.wait() {}
        world.answer(Answer::Refused("status 400".to_owned()));
    }
    assert!(world.said.len() <= 3, "{:?}", world.said);
    world.drain();
    let told =
        world.said.iter().map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!((told.sum::<u64>(), world.shipper.lost()), (20, 20));
}

#[test]
fn memory_is_bounded_and_the_newest_lines_are_dropped() {
    let mut world = World::new(LIMITS);
    world.lines(0..1000);
    assert!(world.shipper.held() <= LIMITS.memory);
    world.fail();
    world.drain();
    let taken = world.numbers_taken();
    assert_eq!(taken.len() as u64 + world.shipper.lost(), 1000);
    assert!(taken.is_sorted() && taken[..99] == (0..99).collect::<Vec<_>>());
    assert!(world.said.iter().any(|text| text.contains("log-ship-buffer")), "{:?}", world.said);
}

#[test]
fn lines_beyond_memory_go_to_the_spool_in_order() {
    let mut world = World::spooling(SPOOL, BTreeMap::new());
    world.lines(0..500);
    assert!(!world.files.is_empty() && world.shipper.held() <= SPOOL.memory);
    world.drain();
    assert_eq!(world.numbers_taken(), (0..500).collect::<Vec<_>>());
    assert_eq!((world.shipper.lost(), world.files.len()), (0, 0));
}

#[test]
fn full_spool_drops_lines_and_counts_them() {
    let mut world = World::spooling(ShipLimits { spool: 1000, ..SPOOL }, BTreeMap::new());
    world.lines(0..500);
    let size: usize = world.files.values().map(Vec::len).sum();
    assert!(size < 1500, "{size}");
    world.drain();
    assert_eq!(world.taken.len() as u64 + world.shipper.lost(), 500);
    assert!(world.numbers_taken().is_sorted());
}

#[test]
fn disk_that_takes_nothing_costs_the_lines_beyond_memory() {
    let mut world = World::spooling(SPOOL, BTreeMap::new());
    world.disk_is_full = true;
    world.lines(0..500);
    world.drain();
    assert_eq!(world.taken.len() as u64 + world.shipper.lost(), 500);
    assert!(world.numbers_taken().is_sorted() && world.said[0].contains("no space left"));
}

#[test]
fn spool_of_an_earlier_process_is_sent_first() {
    let mut world = World::spooling(SPOOL, BTreeMap::new());
    world.lines(0..200);
    world.handle(ShipEvent::Finish);
    world.handle(ShipEvent::Abandon);
    assert_eq!(world.shipper.lost(), 0);
    let mut next = World::spooling(SPOOL, world.files);
    next.lines(200..400);
    next.drain();
    assert_eq!(next.numbers_taken(), (0..400).collect::<Vec<_>>());
    assert!(next.files.is_empty());
}

#[test]
fn damaged_file_is_counted_and_left_out() {
    let (good, mut torn) = (encode_segment("line   2\n"), encode_segment("line   0\nline   1\n"));
    torn.truncate(torn.len() - 3);
    let files = BTreeMap::from([(7, torn), (8, good), (9, b"x".to_vec())]);
    let mut world = World::spooling(SPOOL, files);
    world.drain();
    assert_eq!((world.numbers_taken(), world.shipper.lost()), (vec![2], 3));
    assert!(world.files.is_empty());
}

#[test]
fn finishing_shipper_sends_what_is_in_memory() {
    let mut world = World::new(LIMITS);
    world.lines(0..20);
    world.handle(ShipEvent::Finish);
    assert!(!world.shipper.is_done());
    world.take();
    world.take();
    assert!(world.shipper.is_done());
    assert_eq!(world.numbers_taken().len(), 20);
    world.handle(ShipEvent::Abandon);
    assert_eq!(world.shipper.lost(), 0);
}

#[test]
fn finishing_shipper_waits_for_the_answer_about_a_spooled_batch() {
    let files =
        BTreeMap::from([(7, encode_segment("line   0\n")), (8, encode_segment("line   1\n"))]);
    let mut world = World::spooling(SPOOL, files);
    world.handle(ShipEvent::Finish);
    assert!(world.sent.is_some() && !world.shipper.is_done());
    world.take();
    assert!(world.sent.is_none() && world.shipper.is_done());
    assert_eq!(world.files.keys().copied().collect::<Vec<_>>(), [8]);
}

#[test]
fn abandoned_lines_without_a_spool_are_counted() {
    let mut world = World::new(LIMITS);
    world.lines(0..20);
    world.fail();
    world.handle(ShipEvent::Finish);
    world.handle(ShipEvent::Abandon);
    assert_eq!(world.shipper.lost(), 20);
}

#[test]
fn segments_are_whole_or_refused() {
    let lines = "one\nzwei ä\n";
    let file = encode_segment(lines);
    assert_eq!(decode_segment(&file).as_deref(), Ok(lines));
    for end in 0..file.len() {
        assert!(decode_segment(&file[..end]).is_err(), "{end}");
    }
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 1;
        // The number of lines is for counting alone.
        assert!(decode_segment(&other).is_err() || at == 17, "{at}");
    }
}

#[test]
fn pauses_double_up_to_a_minute_with_jitter() {
    let (mut least, mut most) = (Retry::default(), Retry::default());
    for bound in [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
        let bound = Duration::from_millis(bound);
        assert_eq!(least.pause(0.0), bound / 2);
        assert!(most.pause(0.999_999) <= bound);
    }
}

/// An event of the property.
#[derive(Clone, Debug)]
enum Step {
    Lines(u32),
    Take,
    Fail,
    Wait,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u32..30).prop_map(Step::Lines),
        2 => Just(Step::Take),
        2 => Just(Step::Fail),
        2 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// With room in the spool, each line is taken exactly once and in order, whatever fails and restarts.
    #[test]
    fn no_line_is_lost_doubled_or_moved(steps in prop::collection::vec(step(), 1..200)) {
        let limits = ShipLimits { spool: 1 << 20, ..SPOOL };
        let mut world = World::spooling(limits, BTreeMap::new());
        let mut next = 0;
        for step in steps {
            match step {
                Step::Lines(number) => {
                    world.lines(next..next + number);
                    next += number;
                }
                Step::Take if world.sent.is_some() => world.take(),
                Step::Fail if world.sent.is_some() => world.fail(),
                Step::Take | Step::Fail => {}
                Step::Wait => drop(world.wait()),
                Step::Restart => {
                    world.handle(ShipEvent::Finish);
                    world.handle(ShipEvent::Abandon);
                    prop_assert_eq!(world.shipper.lost(), 0);
                    let taken = std::mem::take(&mut world.taken);
                    world = World { taken, ..World::spooling(limits, std::mem::take(&mut world.files)) };
                }
            }
            prop_assert!(world.shipper.held() <= limits.memory);
        }
        world.drain();
        prop_assert_eq!(world.numbers_taken(), (0..next).collect::<Vec<_>>());
        prop_assert!(world.files.is_empty());
    }
}
