//! Counted work: a message costs a bounded number of steps, whatever its content.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate::dns::{Kind, Name, Resolution, Response};
use tidegate::work;

use crate::write::{A, CNAME, SOA, ladder, pointer_to};

/// The maximum number of steps to read and resolve a message. A drive may take more than twice as
/// many: it handles a response to each of its two queries.
const MOST: u64 = 700_000;
/// The maximum length of a message.
const LONGEST: usize = 65_535;

/// Returns the steps that reading and resolving a message takes.
fn steps(message: &[u8]) -> u64 {
    let before = work::counted();
    if let Ok(response) = Response::read(message) {
        let _ = Resolution::of(&response, &response.name, Kind::A, 0);
    }
    work::counted() - before
}

/// A message filled with records.
struct Bomb(Vec<u8>);

impl Bomb {
    /// Creates a response to a query for a name.
    fn new(name: &[u8]) -> Self {
        let mut message = b"\0\x07\x81\x80\0\x01\0\0\0\0\0\0".to_vec();
        message.extend(name);
        message.extend([0, 1, 0, 1]);
        Self(message)
    }

    /// Adds a record to a section; returns false if the message is full.
    fn record(&mut self, section: usize, owner: &[u8], kind: u16, data: &[u8]) -> bool {
        if self.0.len() + owner.len() + 10 + data.len() > LONGEST {
            return false;
        }
        self.0.extend(owner);
        self.0.extend(kind.to_be_bytes());
        self.0.extend([0, 1, 0, 0, 0, 9]);
        self.0.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        self.0.extend(data);
        let at = 6 + 2 * section;
        let count = u16::from_be_bytes([self.0[at], self.0[at + 1]]) + 1;
        self.0[at..at + 2].copy_from_slice(&count.to_be_bytes());
        true
    }
}

/// Returns a name of the maximum length; names differ only in the last octet.
fn longest_name(last: u8) -> Vec<u8> {
    let mut name = [&[63][..], &[b'a'; 63]].concat().repeat(3);
    name.extend([&[61][..], &[b'a'; 60], &[last, 0]].concat());
    assert_eq!(name.len(), 255);
    name
}

#[test]
fn names_with_thousands_of_pointers_are_rejected() {
    let mut bomb = Bomb::new(b"\x01a\0");
    let start = bomb.0.len() + 1 + 10;
    let ladder: Vec<u8> = (0..8000)
        .flat_map(|step| pointer_to(if step == 0 { 12 } else { start + 2 * (step - 1) }))
        .take(15_000)
        .collect();
    bomb.record(0, b"\0", 16, &ladder);
    while bomb.record(0, &pointer_to(start + 14_990), A, &[192, 0, 2, 1]) {}
    assert!(Response::read(&bomb.0).is_err());
    assert!(steps(&bomb.0) < 10_000);
}

#[test]
fn long_names_in_many_records_cost_bounded_work() {
    let mut bomb = Bomb::new(&longest_name(b'z'));
    let other = bomb.0.len() + 1 + 10;
    bomb.record(0, b"\0", 16, &longest_name(b'y'));
    for n in 0..2000 {
        let kind = if n % 2 == 0 { CNAME } else { A };
        let data = if n % 2 == 0 { pointer_to(12).to_vec() } else { vec![192, 0, 2, 1] };
        bomb.record(0, &pointer_to(if n % 31 == 0 { 12 } else { other }), kind, &data);
    }
    let soa = [&pointer_to(other)[..], &pointer_to(other), &[0; 20]].concat();
    while bomb.record(1, &pointer_to(12), SOA, &soa) {}
    let response = Response::read(&bomb.0).unwrap();
    assert_eq!(response.name, Name::parse(&response.name.to_string()).unwrap());
    let steps = steps(&bomb.0);
    assert!((50_000..MOST).contains(&steps), "{steps} steps");
}

#[test]
fn names_with_the_most_pointers_cost_bounded_work() {
    let mut bomb = Bomb::new(b"\x01a\0");
    let start = bomb.0.len() + 1 + 10;
    bomb.record(0, b"\0", 16, &ladder(127, start));
    let last = pointer_to(bomb.0.len() - 4);
    for n in 0..2000 {
        let (kind, data) = if n % 2 == 0 { (CNAME, &last[..]) } else { (A, &[192, 0, 2, 1][..]) };
        bomb.record(0, &last, kind, data);
    }
    assert_eq!(Response::read(&bomb.0).unwrap().answers[0].owner.wire().len(), 255);
    let steps = steps(&bomb.0);
    assert!((50_000..MOST).contains(&steps), "{steps} steps");
}

/// Generates building blocks of records.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0usize..16_384).prop_map(|to| pointer_to(to).to_vec()),
        (12usize..300).prop_map(|to| pointer_to(to).to_vec()),
        any::<u8>().prop_map(longest_name),
        vec(any::<u8>(), 0..40),
        (1u8..64).prop_map(|length| [vec![length], vec![b'x'; length.into()]].concat()),
        Just(vec![0]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_message_costs_bounded_work(
        name in prop_oneof![Just(longest_name(b'q')), Just(b"\x01a\0".to_vec())],
        pieces in vec((piece(), prop_oneof![Just(A), Just(CNAME), Just(SOA), Just(28), Just(16)], piece()), 1..60),
        sections in vec(0usize..3, 3),
    ) {
        let mut bomb = Bomb::new(&name);
        let mut sections = sections;
        sections.sort_unstable();
        for section in sections {
            for _ in 0..20_000 / pieces.len() {
                let fits = pieces.iter().all(|(owner, kind, data)| {
                    bomb.record(section, owner, *kind, data)
                });
                if !fits {
                    break;
                }
            }
        }
        let steps = steps(&bomb.0);
        prop_assert!(steps < MOST, "{} steps for {} octets", steps, bomb.0.len());
    }

    #[test]
    fn any_octets_cost_bounded_work(octets in vec(any::<u8>(), 0..2000), repeated in 1usize..40) {
        let head = b"\0\x07\x81\x80\0\x01\xff\xff\xff\xff\xff\xff\x01a\0\0\x01\0\x01";
        let mut message = [&head[..], &octets.repeat(repeated)].concat();
        message.truncate(LONGEST);
        prop_assert!(steps(&message) < MOST);
    }
}
