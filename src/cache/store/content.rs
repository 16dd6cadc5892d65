//! Bytes of content, shared between the response that receives them and the cache that stores them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::alloc_size::rounded_up;
use crate::work;

/// An immutable piece of content. Clones share the bytes.
type Chunk = Arc<Vec<u8>>;

/// Maximum length of two adjacent pieces, in bytes, at which they become one piece when content is
/// joined.
const SMALL: usize = 4096;

/// Consecutive bytes of content in immutable pieces, starting at some offset. Clones share the
/// bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    start: u64,
    end: u64,
    /// Pieces, each with its offset.
    pieces: VecDeque<(u64, Chunk)>,
    /// Bytes that the pieces take on the heap, each with its two reference counters.
    taken: usize,
}

fn taken_by(chunk: &Chunk) -> usize {
    rounded_up(2 * size_of::<usize>() + size_of::<Vec<u8>>()) + rounded_up(chunk.capacity())
}

impl Content {
    /// Returns the offset of the first byte.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Returns the offset one past the last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Appends `bytes`, if there are any, after freeing their spare capacity.
    pub fn push(&mut self, mut bytes: Vec<u8>) {
        if !bytes.is_empty() {
            bytes.shrink_to_fit();
            self.share(self.end, Arc::new(bytes));
        }
    }

    fn share(&mut self, at: u64, chunk: Chunk) {
        self.end = at + chunk.len() as u64;
        self.taken += taken_by(&chunk);
        self.pieces.push_back((at, chunk));
    }

    /// Releases pieces that end at or before `offset`. Returns the buffer of the last of them for
    /// reuse, unless it is shared.
    pub fn release(&mut self, offset: u64) -> Option<Vec<u8>> {
        let mut buffer = None;
        while let Some((at, chunk)) = self.pieces.front()
            && at + chunk.len() as u64 <= offset
        {
            self.start = at + chunk.len() as u64;
            self.taken -= taken_by(chunk);
            buffer = self.pieces.pop_front().and_then(|(_, chunk)| Arc::try_unwrap(chunk).ok());
        }
        buffer
    }

    /// Moves empty content to `offset`, where the next byte will be appended.
    pub fn restart(&mut self, offset: u64) {
        debug_assert!(self.pieces.is_empty());
        (self.start, self.end) = (offset, offset);
    }

    /// Returns the bytes from `offset` on, piece by piece.
    pub fn from(&self, offset: u64) -> impl Iterator<Item = &[u8]> {
        let first = self.pieces.partition_point(|(at, chunk)| at + chunk.len() as u64 <= offset);
        self.pieces.range(first..).map(move |(at, chunk)| {
            let skip = offset.saturating_sub(*at);
            &chunk[usize::try_from(skip).unwrap_or(usize::MAX)..]
        })
    }

    /// Returns the bytes from `first` up to `end`, which must be present. Pieces that are cut are
    /// copied.
    #[must_use]
    pub fn part(&self, first: u64, end: u64) -> Self {
        let mut part = Self { start: first, end: first, ..Self::default() };
        if first >= end {
            return part;
        }
        let here = self.pieces.partition_point(|(at, chunk)| at + chunk.len() as u64 <= first);
        for (at, chunk) in self.pieces.range(here..).take_while(|(at, _)| *at < end) {
            work::count(1);
            let last = at + chunk.len() as u64;
            if first <= *at && last <= end {
                part.share(*at, Arc::clone(chunk));
            } else {
                let cut = |offset: u64| usize::try_from(offset - at).unwrap_or(usize::MAX);
                let bytes = &chunk[cut(first.max(*at))..cut(end.min(last))];
                work::count(work::LOOK_UP + bytes.len());
                part.push(bytes.to_vec());
            }
        }
        part
    }

    /// Appends content that begins where this ends. Two small pieces that meet become one.
    pub fn append(&mut self, mut next: Self) {
        debug_assert!(self.end == next.start);
        work::count(next.pieces.len());
        self.join_pieces(&mut next);
        self.pieces.append(&mut next.pieces);
        (self.end, self.taken) = (next.end, self.taken + next.taken);
    }

    /// Joins the last piece and the first piece of `next`, if both are small.
    fn join_pieces(&mut self, next: &mut Self) {
        let (Some((_, last)), Some((_, first))) = (self.pieces.back(), next.pieces.front()) else {
            return;
        };
        let length = last.len() + first.len();
        if length > SMALL {
            return;
        }
        work::count(work::LOOK_UP + length);
        let mut bytes = Vec::with_capacity(length);
        [last, first].into_iter().for_each(|piece| bytes.extend_from_slice(piece));
        self.taken -= taken_by(last);
        next.taken -= taken_by(first);
        let joined = Arc::new(bytes);
        self.taken += taken_by(&joined);
        next.pieces.pop_front();
        if let Some((_, last)) = self.pieces.back_mut() {
            *last = joined;
        }
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Returns true if every piece is shared with `other`.
    pub(super) fn shares_all_with(&self, other: &Self) -> bool {
        let pieces = || self.pieces.iter().zip(&other.pieces);
        (self.start, self.end) == (other.start, other.end)
            && self.pieces.len() == other.pieces.len()
            && pieces().all(|((at, one), (from, other))| at == from && Arc::ptr_eq(one, other))
    }

    /// Returns true if there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the number of pieces.
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Returns the bytes that the content takes on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.taken + rounded_up(self.pieces.capacity() * size_of::<(u64, Chunk)>())
    }
}
