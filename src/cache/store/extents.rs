//! Stored content that may be incomplete (RFC 9111 §3.3).

use std::sync::Arc;

use crate::alloc_size::rounded_up;
use crate::work;

use super::content::Content;
use super::shared_content::SharedContent;

/// Maximum number of parts of one representation. Beyond it, the smallest part is dropped: clients
/// choose where parts begin, and filling the gap behind each part takes a request.
const MAX_PARTS: usize = 64;
/// Maximum length of content that is compared byte by byte, in bytes.
const COMPARED: u64 = 64 * 1024;

/// Parts of content of known length, in order, with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    length: u64,
    parts: Vec<Arc<SharedContent>>,
}

impl Extents {
    /// Creates extents from some `content` of a representation of this `length`.
    #[must_use]
    pub fn of(content: Content, length: u64) -> Self {
        debug_assert!(content.end() <= length);
        let parts =
            if content.is_empty() { vec![] } else { vec![Arc::new(SharedContent::of(content))] };
        Self { length, parts }
    }

    /// Returns the length of the complete content.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Returns true if no byte is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.next_gap(0, self.length).is_none()
    }

    /// Returns the number of stored bytes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Returns the index of the first part that ends after `offset`.
    fn place(&self, offset: u64) -> usize {
        work::count(work::LOOK_UP);
        self.parts.partition_point(|part| part.end() <= offset)
    }

    /// Returns the part that contains the byte at `offset`.
    fn part_at(&self, offset: u64) -> Option<&Content> {
        let part = self.parts.get(self.place(offset))?;
        (part.start() <= offset).then_some(&***part)
    }

    /// Returns the first missing range between `first` and `end`.
    #[must_use]
    pub fn next_gap(&self, first: u64, end: u64) -> Option<(u64, u64)> {
        let place = self.place(first);
        let (first, next) = match self.parts.get(place) {
            // The bytes after a part are missing, unless it ends the range.
            Some(part) if part.start() <= first => (part.end(), self.parts.get(place + 1)),
            next => (first, next),
        };
        (first < end).then(|| (first, next.map_or(end, |part| part.start().min(end))))
    }

    /// Returns all missing ranges between `first` and `end`.
    pub fn gaps_in(&self, first: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let hole = self.next_gap(first, end);
        std::iter::successors(hole, move |(_, before)| self.next_gap(*before, end))
    }

    /// Returns the bytes from `offset` on, piece by piece, up to the next gap.
    pub fn from(&self, offset: u64) -> impl Iterator<Item = &[u8]> {
        self.part_at(offset).into_iter().flat_map(move |part| part.from(offset))
    }

    /// Returns the bytes from `first` up to `end`, which must be stored.
    #[must_use]
    pub fn part(&self, first: u64, end: u64) -> Content {
        self.part_at(first).map(|part| part.part(first, end)).unwrap_or_default()
    }

    /// Adds the bytes of a part that are missing. They are shared, except for pieces that are cut
    /// at the edges. If there are too many parts, the smallest is dropped.
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

    /// Joins the part at `place` to the part before it, if there is no gap between them.
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

    /// Returns the stored parts.
    #[must_use]
    pub fn parts(&self) -> &[Arc<SharedContent>] {
        &self.parts
    }

    /// Returns true if both certainly have the same bytes: they share all pieces, or are short
    /// enough to be compared.
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

    /// Returns the bytes of the list on the heap, without the parts.
    pub(super) fn list_weight(&self) -> usize {
        rounded_up(self.parts.capacity() * size_of::<Arc<SharedContent>>())
    }

    /// Returns the bytes that list and parts take on the heap.
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

    /// Returns these bytes of the whole, in pieces of this size.
    fn content(first: usize, end: usize, piece: usize) -> Content {
        let mut content = Content::default();
        content.restart(first as u64);
        let bytes: Vec<u8> = (first..end).map(byte).collect();
        bytes.chunks(piece).for_each(|bytes| content.push(bytes.to_vec()));
        content
    }

    proptest! {
        #[test]
        fn extents_hold_exactly_the_added_bytes(
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
