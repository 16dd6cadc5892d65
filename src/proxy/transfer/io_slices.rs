//! The slices of one gathered write, without an allocation.

use std::io::IoSlice;

/// Most slices in one write; the rest leaves with the next.
const MAX: usize = 12;

/// Byte slices from several buffers for one gathered write.
#[derive(Debug)]
pub(super) struct Slices<'a> {
    slices: [IoSlice<'a>; MAX],
    count: usize,
}

impl<'a> Slices<'a> {
    pub(super) fn new() -> Self {
        Self { slices: [IoSlice::new(&[]); MAX], count: 0 }
    }

    /// Adds `bytes`; returns false if there is no slot for them. Empty bytes need none.
    pub(super) fn push(&mut self, bytes: &'a [u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.count == MAX {
            return false;
        }
        self.slices[self.count] = IoSlice::new(bytes);
        self.count += 1;
        true
    }

    /// Adds up to `max` bytes of `pieces`; returns the number of bytes added.
    pub(super) fn push_from(&mut self, pieces: impl Iterator<Item = &'a [u8]>, max: u64) -> u64 {
        let mut left = max;
        for piece in pieces {
            let n = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if n == 0 || !self.push(&piece[..n]) {
                break;
            }
            left -= n as u64;
        }
        max - left
    }

    pub(super) const fn is_full(&self) -> bool {
        self.count == MAX
    }

    pub(super) fn as_slice(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }
}
