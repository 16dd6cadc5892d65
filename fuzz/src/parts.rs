//! Stored parts of content, compared with a naive list of intervals.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate::cache::{Content, Extents, SharedContent};

/// Length of the whole content in bytes.
const LENGTH: u64 = 1000;
/// Limit of the stored parts.
const MOST: usize = 64;

/// Stored parts as intervals.
#[derive(Default)]
struct Naive(Vec<(u64, u64)>);

impl Naive {
    fn add(&mut self, first: u64, end: u64) {
        let (mut first, mut end) = (first, end);
        if first == end {
            return;
        }
        self.0.retain(|&(from, to)| {
            let touches = from <= end && first <= to;
            if touches {
                (first, end) = (first.min(from), end.max(to));
            }
            !touches
        });
        self.0.push((first, end));
        self.0.sort_unstable();
        if self.0.len() > MOST {
            let smallest = (0..self.0.len()).min_by_key(|&at| self.0[at].1 - self.0[at].0);
            smallest.map(|at| self.0.remove(at));
        }
    }

    fn holes(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let here: HashSet<u64> = self.0.iter().flat_map(|&(from, to)| from..to).collect();
        let mut holes: Vec<(u64, u64)> = Vec::new();
        for at in (first..end).filter(|&at| !here.contains(&at)) {
            match holes.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => holes.push((at, at + 1)),
            }
        }
        holes
    }
}

/// Returns the byte at an offset.
fn byte(at: u64) -> u8 {
    (at % 251).to_le_bytes()[0]
}

fn content(first: u64, end: u64, piece: usize) -> Content {
    let mut content = Content::default();
    content.restart(first);
    let bytes: Vec<u8> = (first..end).map(byte).collect();
    bytes.chunks(piece).for_each(|bytes| content.push(bytes.to_vec()));
    content
}

/// Checks any bytes as parts to add: their beginnings, lengths and pieces.
pub fn rules(data: &[u8]) {
    let mut extents = Extents::of(Content::default(), LENGTH);
    let mut naive = Naive::default();
    let mut copies = Vec::new();
    for step in data.chunks_exact(4) {
        let first = u64::from(u16::from_le_bytes([step[0], step[1]])) % LENGTH;
        let end = LENGTH.min(first + u64::from(step[2]));
        if step[3] == 0 {
            copies.push(extents.clone()); // copies must not see later parts
        }
        let part = SharedContent::of(content(first, end, 1 + usize::from(step[3] % 32)));
        extents.add(&Arc::new(part));
        naive.add(first, end);
        check(&extents, &naive);
    }
    for copy in copies {
        for part in copy.parts() {
            let bytes: Vec<u8> = part.from(part.start()).flatten().copied().collect();
            assert!(bytes.into_iter().eq((part.start()..part.end()).map(byte)));
        }
    }
}

fn check(extents: &Extents, naive: &Naive) {
    let parts: Vec<_> = extents.parts().iter().map(|part| (part.start(), part.end())).collect();
    assert_eq!(parts, naive.0);
    assert_eq!(extents.is_whole(), naive.0 == [(0, LENGTH)]);
    assert_eq!(extents.stored_bytes(), naive.0.iter().map(|(first, end)| end - first).sum::<u64>());
    for (first, end) in [(0, LENGTH), (LENGTH / 3, LENGTH / 2), (5, 5)] {
        let holes = naive.holes(first, end);
        assert_eq!(extents.gaps_in(first, end).collect::<Vec<_>>(), holes);
        assert_eq!(extents.next_gap(first, end), holes.first().copied());
    }
    for &(first, end) in &naive.0 {
        let bytes: Vec<u8> = extents.from(first).flatten().copied().collect();
        assert!(bytes.into_iter().eq((first..end).map(byte)), "all bytes are right");
        let inner = extents.part(first, end);
        assert_eq!((inner.start(), inner.end()), (first, end));
    }
}
