//! Content that is cut into records.

use std::io::IoSlice;

/// Largest content of a record (RFC 8446 §5.1).
pub(super) const RECORD: usize = 16 * 1024;
/// Most slices of one record.
const SLICES: usize = 8;

/// Content that is offered, from which records are taken.
pub(super) struct Offer<'a> {
    slices: &'a [IoSlice<'a>],
    /// Number of bytes of the first slices that were taken.
    skip: usize,
}

impl<'a> Offer<'a> {
    /// Returns an offer of what follows the first `skip` bytes of the slices.
    pub(super) const fn new(slices: &'a [IoSlice<'a>], skip: usize) -> Self {
        Self { slices, skip }
    }

    /// Takes the content of the next record, and the number of its slices.
    pub(super) fn next_record(&mut self) -> ([IoSlice<'a>; SLICES], usize) {
        let mut record = [IoSlice::new(&[]); SLICES];
        let (mut count, mut room) = (0, RECORD);
        while let [first, rest @ ..] = self.slices {
            if self.skip >= first.len() {
                self.skip -= first.len();
                self.slices = rest;
                continue;
            }
            if room == 0 || count == SLICES {
                break;
            }
            let part = &first[self.skip..];
            let part = &part[..part.len().min(room)];
            record[count] = IoSlice::new(part);
            (count, room, self.skip) = (count + 1, room - part.len(), self.skip + part.len());
        }
        (record, count)
    }
}
