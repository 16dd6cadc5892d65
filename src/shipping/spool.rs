//! The files of a spool, in the order in which they are sent.

use std::collections::VecDeque;

use super::batch::Batch;

/// Number of the first file of an empty spool, in the middle of all numbers: batches are also put in front.
const MIDDLE: u64 = 1 << 32;

/// A file of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of the file. Files are sent in the order of their numbers.
    pub number: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of lines, 0 if it is not known.
    pub lines: u64,
}

/// Files that wait to be sent, oldest first.
#[derive(Debug)]
pub(super) struct Spool {
    segments: VecDeque<Segment>,
    bytes: u64,
    /// Most bytes.
    limit: u64,
}

impl Spool {
    pub(super) fn new(segments: Vec<Segment>, limit: u64) -> Self {
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        Self { segments: segments.into(), bytes, limit }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the number of the file that is sent next.
    pub(super) fn first(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.number)
    }

    /// Adds a batch at the end. Returns the number of its file; `None` if there is no room.
    pub(super) fn push(&mut self, batch: &Batch) -> Option<u64> {
        let number = self.segments.back().map_or(MIDDLE, |last| last.number.saturating_add(1));
        let segment = self.admit(number, batch)?;
        self.segments.push_back(segment);
        Some(number)
    }

    /// Adds a batch in front of all others. Returns the number of its file; `None` if there is no room.
    pub(super) fn push_front(&mut self, batch: &Batch) -> Option<u64> {
        let number =
            self.segments.front().map_or(Some(MIDDLE), |first| first.number.checked_sub(1))?;
        let segment = self.admit(number, batch)?;
        self.segments.push_front(segment);
        Some(number)
    }

    fn admit(&mut self, number: u64, batch: &Batch) -> Option<Segment> {
        let bytes = batch.text.len() as u64;
        let all = self.bytes.checked_add(bytes).filter(|all| *all <= self.limit)?;
        self.bytes = all;
        Some(Segment { number, bytes, lines: batch.lines })
    }

    /// Removes the first file from the list. Returns its number.
    pub(super) fn remove_first(&mut self) -> Option<u64> {
        let first = self.segments.pop_front()?;
        self.bytes -= first.bytes;
        Some(first.number)
    }

    /// Removes a file that was not written from the list. Returns the number of its lines.
    pub(super) fn forget(&mut self, number: u64) -> u64 {
        let place = self.segments.iter().position(|segment| segment.number == number);
        let removed = place.and_then(|place| self.segments.remove(place));
        removed.map_or(0, |segment| {
            self.bytes -= segment.bytes;
            segment.lines
        })
    }
}
