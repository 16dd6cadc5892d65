//! What is here of content that may not be here as a whole (RFC 9111 §3.3).

use crate::heap::taken;

use super::content::Content;

/// Bytes of content that is compared to see whether it is the same.
const COMPARED: u64 = 64 * 1024;

/// Parts of content whose length is known: in their order, with a hole between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    length: u64,
    parts: Vec<Content>,
}

impl Extents {
    /// Some of content that has this `length` as a whole.
    #[must_use]
    pub fn of(content: Content, length: u64) -> Self {
        debug_assert!(content.end() <= length);
        let parts = if content.is_empty() { Vec::new() } else { vec![content] };
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
        self.hole_in(0, self.length).is_none()
    }

    /// How many bytes are here.
    #[must_use]
    pub fn here(&self) -> u64 {
        self.parts.iter().map(|part| part.end() - part.start()).sum()
    }

    /// The first bytes that are missing from `first` up to `end`.
    #[must_use]
    pub fn hole_in(&self, first: u64, end: u64) -> Option<(u64, u64)> {
        let next = self.parts.iter().find(|part| part.end() > first);
        let Some(part) = next else { return (first < end).then_some((first, end)) };
        if first < part.start() {
            return (first < end).then(|| (first, end.min(part.start())));
        }
        // What follows a part is missing, if anything does.
        (part.end() < end).then(|| self.hole_in(part.end(), end)).flatten()
    }

    /// The bytes from `offset` on, piece by piece, up to the next hole.
    pub fn from(&self, offset: u64) -> impl Iterator<Item = &[u8]> {
        let part = self.parts.iter().find(|part| part.start() <= offset && offset < part.end());
        part.into_iter().flat_map(move |part| part.from(offset))
    }

    /// The bytes from `first` up to `end`, which are here.
    #[must_use]
    pub fn part(&self, first: u64, end: u64) -> Content {
        let part = self.parts.iter().find(|part| part.start() <= first && first < part.end());
        part.map(|part| part.part(first, end)).unwrap_or_default()
    }

    /// Adds what of `content` is missing. Its bytes are shared, but for those at the edges.
    pub fn add(&mut self, content: &Content) {
        let mut at = content.start();
        while let Some((first, end)) = self.hole_in(at, content.end()) {
            let place = self.parts.partition_point(|part| part.end() <= first);
            self.parts.insert(place, content.part(first, end));
            self.join(place + 1);
            if place > 0 {
                self.join(place);
            }
            at = end;
        }
    }

    /// Makes one of the part at `place` and the one before, if there is no hole between them.
    fn join(&mut self, place: usize) {
        if place < self.parts.len() && self.parts[place - 1].end() == self.parts[place].start() {
            let next = self.parts.remove(place);
            self.parts[place - 1].append(next);
        }
    }

    /// The parts that are here.
    #[must_use]
    pub fn parts(&self) -> &[Content] {
        &self.parts
    }

    /// Returns true if both surely are the same bytes: what they share, or little enough to compare.
    #[must_use]
    pub fn is_surely(&self, other: &Self) -> bool {
        let shared = self.parts.iter().zip(&other.parts).all(|(a, b)| a.shares_all_with(b));
        self.length == other.length
            && self.parts.len() == other.parts.len()
            && (shared || (self.length <= COMPARED && self == other))
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        taken(self.parts.capacity() * size_of::<Content>())
            + self.parts.iter().map(Content::weight).sum::<usize>()
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
                extents.add(&content(first, end, piece));
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
            prop_assert_eq!(extents.hole_in(first as u64, end as u64), hole);
            prop_assert_eq!(extents.is_whole(), here.iter().all(|here| *here));
            let apart = |two: &[Content]| two[0].end() < two[1].start();
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
