//! Records that were encrypted and have not left for the kernel completely.

use std::collections::VecDeque;
use std::io::IoSlice;

/// Records in flight, and the content that has left but was not reported as sent.
///
/// The owner of a connection offers content until it is reported as sent. Content of a record is
/// reported once the whole record has left: what a part of a record contains is of no use to the peer,
/// and could not be encrypted a second time.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    records: VecDeque<Record>,
    /// Bytes of all records that have not left.
    wire: usize,
    /// Bytes of content in `records`.
    content: usize,
    /// Bytes of content that has left and was not reported.
    left: usize,
    /// The content that was not reported, to check that the owner offers it again.
    #[cfg(debug_assertions)]
    offered: Vec<u8>,
}

#[derive(Debug)]
struct Record {
    /// Bytes of content; 0 for a message of the protocol itself.
    content: usize,
    /// Bytes that have not left.
    wire: usize,
}

impl InFlight {
    /// Records that what waits to leave has grown to `wire` bytes by a record with this `content`, or
    /// by messages of the protocol, which have none. Returns by how many bytes it has grown.
    pub(super) fn queued(&mut self, wire: usize, content: &[IoSlice<'_>]) -> usize {
        let grown = wire.saturating_sub(self.wire);
        if grown > 0 {
            let length = content.iter().map(|slice| slice.len()).sum();
            self.records.push_back(Record { content: length, wire: grown });
            self.wire = wire;
            self.content += length;
            #[cfg(debug_assertions)]
            content.iter().for_each(|slice| self.offered.extend_from_slice(slice));
        }
        grown
    }

    /// Records that `n` bytes have left.
    pub(super) fn sent(&mut self, mut n: usize) {
        self.wire = self.wire.saturating_sub(n);
        while let Some(first) = self.records.front_mut() {
            let part = n.min(first.wire);
            first.wire -= part;
            n -= part;
            if first.wire > 0 {
                return;
            }
            self.content -= first.content;
            self.left += first.content;
            self.records.pop_front();
        }
    }

    /// Returns the number of bytes that have not left.
    pub(super) const fn wire(&self) -> usize {
        self.wire
    }

    /// Returns the number of bytes of content that were encrypted and not reported as sent: those with
    /// which the owner begins its next offer.
    pub(super) const fn unreported(&self) -> usize {
        self.content + self.left
    }

    /// Returns the number of bytes of content that have left, and counts them as reported.
    pub(super) fn report(&mut self) -> usize {
        #[cfg(debug_assertions)]
        {
            self.offered.drain(..self.left);
            self.offered.shrink_to_fit();
        }
        std::mem::take(&mut self.left)
    }

    /// Checks, in builds with debug assertions, that an offer begins with the content that was not
    /// reported.
    #[cfg_attr(not(debug_assertions), expect(clippy::unused_self, unused_variables))]
    pub(super) fn check_offer(&self, offer: &[IoSlice<'_>]) {
        #[cfg(debug_assertions)]
        {
            let mut rest = &self.offered[..];
            for slice in offer {
                let (again, after) = rest.split_at(rest.len().min(slice.len()));
                debug_assert!(slice.starts_with(again), "what was not sent is offered again");
                rest = after;
            }
            debug_assert!(rest.is_empty(), "all that was not sent is offered again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_reported_once_its_record_has_left() {
        let mut flight = InFlight::default();
        flight.queued(100, &[]); // a handshake message
        flight.queued(132, &[IoSlice::new(b"0123456789")]);
        flight.queued(164, &[IoSlice::new(b"abcde"), IoSlice::new(b"fghij")]);
        assert_eq!(flight.unreported(), 20);
        flight.sent(131);
        assert_eq!((flight.report(), flight.unreported()), (0, 20));
        flight.sent(1);
        assert_eq!(flight.unreported(), 20);
        assert_eq!((flight.report(), flight.unreported()), (10, 10));
        flight.check_offer(&[IoSlice::new(b"abcdefg"), IoSlice::new(b"hijkl")]);
        flight.sent(32);
        assert_eq!((flight.report(), flight.unreported()), (10, 0));
    }
}
