//! Stored bytes of content that may not be stored as a whole (RFC 9111 §3.3).

use std::sync::Arc;

use crate::alloc_size::rounded_up;
use crate::work;

use super::content::Content;
use super::shared_content::SharedContent;

/// Parts that are kept of one representation; beyond, the smallest go. Clients choose where parts
/// begin, and each has a hole behind it that takes a request to fill.
const MAX_PARTS: usize = 64;
/// Bytes of content that is compared to see whether it is the same.
const COMPARED: u64 = 64 * 1024;

/// Parts of content whose length is known: in their order, with a hole between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    length: u64,
    parts: Vec<Arc<SharedContent>>,
}

impl Extents {
    /// Some of content that has this `length` as a whole.
    #[must_use]
    pub fn of(content: Content, length: u64) -> Self {
        debug_assert!(content.end() <= length);
        let parts =
            if content.is_empty() { vec![] } else { vec![Arc::new(SharedContent::of(content))] };
        Self { length, parts }
    }

    /// How long the whole is.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.next_gap(0, self.length).is_none()
    }

    /// How many bytes are here.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// The place of the first part that ends behind `offset`.
    fn place(&self, offset: u64) -> usize {
        work::count(work::LOOK_UP);
        self.parts.partition_point(|part| part.end() <= offset)
    }

    /// The part that has the byte at `offset`.
    fn part_at(&self, offset: u64) -> Option<&Content> {
        let part = self.parts.get(self.place(offset))?;
        (part.start() <= offset).then_some(&***part)
    }

    /// The first bytes that are missing from `first` up to `end`.
    #[must_use]
    pub fn next_gap(&self, first: u64, end: u64) -> Option<(u64, u64)> {
        let place = self.place(first);
        let (first, next) = match self.parts.get(place) {
            // What follows a part is missing, if anything does.
            Some(part) if part.start() <= first => (part.end(), self.parts.get(place + 1)),
            next => (first, next),
        };
        (first < end).then(|| (first, next.map_or(end, |part| part.start().min(end))))
    }

    /// All that is missing from `first` up to `end`.
    pub fn gaps_in(&self, first: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let hole = self.next_gap(first, end);
        std::iter::successors(hole, move |(_, before)| self.next_gap(*before, end))
    }

    /// The bytes from `offset` on, piece by piece, up to the next hole.
    pub fn from(&self, offset: u64) -> impl Iterator<Item = &[u8]> {
        self.part_at(offset).into_iter().flat_map(move |part| part.from(offset))
    }

    /// The bytes from `first` up to `end`, which are here.
    #[must_use]
    pub fn part(&self, first: u64, end: u64) -> Content {
        self.part_at(first).map(|part| part.part(first, end)).unwrap_or_default()
    }

    /// Adds what of a part is missing. Its bytes are shared, but for those at the edges. If that makes
    /// too many parts, the smallest goes.
    pub fn add(&mut self, part: &Arc<SharedContent>) {
        let mut at = part.start();
        while let Some((first, end)) = self.next_gap(at, part.end()) {
            let whole = (first, end) == (part.start(), part.end());
            let new = || Arc::new(SharedContent::of(part.part(first, end)));
            let place = self.place(first);
            self.parts.insert(place, if whole { Arc::clone(part) } else { new() });
            self.join(place + 1);
            if place > 0 {
                self.join(place);
            }
            at = end;
        }
        while self.parts.len() > MAX_PARTS {
            self.forget_smallest();
        }
    }

    /// Makes one of the part at `place` and the one before, if there is no hole between them.
    fn join(&mut self, place: usize) {
        if place < self.parts.len() && self.parts[place - 1].end() == self.parts[place].start() {
            let next = Arc::unwrap_or_clone(self.parts.remove(place)).into_content();
            let before = &mut self.parts[place - 1];
            work::count(before.pieces());
            Arc::make_mut(before).append(next);
        }
    }

    fn forget_smallest(&mut self) {
        work::count(self.parts.len());
        let smallest = (0..self.parts.len()).min_by_key(|&place| self.parts[place].len());
        if let Some(place) = smallest {
            self.parts.remove(place);
        }
    }

    /// The parts that are here.
    #[must_use]
    pub fn parts(&self) -> &[Arc<SharedContent>] {
        &self.parts
    }

    /// Returns true if both surely are the same bytes: what they share, or little enough to compare.
    #[must_use]
    pub fn is_surely(&self, other: &Self) -> bool {
        let pairs = || self.parts.iter().zip(&other.parts);
        let shared = |(one, other): (&Arc<SharedContent>, &Arc<SharedContent>)| {
            Arc::ptr_eq(one, other) || one.shares_all_with(other)
        };
        self.length == other.length
            && self.parts.len() == other.parts.len()
            && (pairs().all(shared) || (self.length <= COMPARED && self == other))
    }

    /// Bytes on the heap, beside those of the parts.
    pub(super) fn list_weight(&self) -> usize {
        rounded_up(self.parts.capacity() * size_of::<Arc<SharedContent>>())
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.list_weight() + self.parts.iter().map(|part| part.weight()).sum::<usize>()
    }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: usize = 200;

    fn byte(at: usize) -> u8 {
        u8::try_from(at).unwrap()
    }

    /// These bytes of the whole, in pieces of this size.
    fn content(first: usize, end: usize, piece: usize) -> Content {
        let mut content = Content::default();
        content.restart(first as u64);
        let bytes: Vec<u8> = (first..end).map(byte).collect();
        bytes.chunks(piece).for_each(|bytes| content.push(bytes.to_vec()));
        content
    }

    proptest! {
        #[test]
        fn what_was_added_is_here_and_nothing_else(
            added in prop::collection::vec((0..LENGTH, 0..LENGTH, 1usize..30), 0..12),
            asked in (0..LENGTH, 0..LENGTH),
        ) {
            let mut extents = Extents::of(Content::default(), LENGTH as u64);
            let mut here = [false; LENGTH];
            for (one, other, piece) in added {
                let (first, end) = (one.min(other), one.max(other));
                extents.add(&Arc::new(SharedContent::of(content(first, end, piece))));
                here[first..end].fill(true);
            }
            for (at, &is_here) in here.iter().enumerate() {
                let first = extents.from(at as u64).next().map(|piece| piece[0]);
                prop_assert_eq!(first, is_here.then(|| byte(at)));
            }
            let (first, end) = (asked.0.min(asked.1), asked.0.max(asked.1));
            let hole = (first..end).find(|&at| !here[at]).map(|first| {
                let end = (first..end).find(|&at| here[at]).unwrap_or(end);
                (first as u64, end as u64)
            });
            prop_assert_eq!(extents.next_gap(first as u64, end as u64), hole);
            prop_assert_eq!(extents.is_whole(), here.iter().all(|here| *here));
            let apart = |two: &[Arc<SharedContent>]| two[0].end() < two[1].start();
            prop_assert!(extents.parts().windows(2).all(apart));
            for part in extents.parts() {
                let bytes: Vec<u8> = part.from(part.start()).flatten().copied().collect();
                let at = |offset| usize::try_from(offset).unwrap();
                let expected: Vec<u8> = (at(part.start())..at(part.end())).map(byte).collect();
                prop_assert_eq!(bytes, expected);
            }
        }
    }
}
