//! Readers of a body, by offset. An operation of one reader among many costs no more than among
//! few.

use std::collections::BTreeMap;

use crate::reactor::{Arena, Id, Token, Wake};
use crate::work;

/// The key of a reader. That of a detached reader finds nothing.
pub(crate) type ReaderKey = Id<Reader>;

/// A client or a fetch that reads a body, and its offset in it.
#[derive(Debug)]
pub(crate) struct Reader {
    at: u64,
    token: Token,
    /// True if the reader has read all available bytes and waits to be woken.
    parked: bool,
    /// True once the reader was dropped: the next bytes may be released, and it gets no more.
    dropped: bool,
}

/// All readers of a body.
#[derive(Debug)]
pub(super) struct Readers {
    readers: Arena<Reader>,
    /// Offsets of the readers that are not dropped, in ascending order, with the number of readers
    /// at each.
    offsets: Vec<(u64, usize)>,
    /// Parked readers, and some that were detached since.
    parked: Vec<ReaderKey>,
}

impl Readers {
    pub(super) fn new() -> Self {
        Self { readers: Arena::new(), offsets: Vec::new(), parked: Vec::new() }
    }

    /// Adds a parked reader at an offset.
    pub(super) fn add(&mut self, at: u64, token: Token) -> ReaderKey {
        let key = self.readers.insert(Reader { at, token, parked: true, dropped: false });
        self.enter(at, 1);
        self.note_parked(key);
        key
    }

    pub(super) fn remove(&mut self, key: ReaderKey) {
        if let Some(reader) = self.readers.remove(key).filter(|reader| !reader.dropped) {
            self.leave(reader.at);
        }
    }

    /// Returns true if there are no readers, not even dropped ones.
    pub(super) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Returns the number of readers that are not dropped, at most 2.
    pub(super) fn reading(&self) -> usize {
        self.offsets.iter().take(2).map(|(_, count)| count).sum::<usize>().min(2)
    }

    /// Returns the lowest offset of a reader that is not dropped.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.offsets.first().map(|(at, _)| *at)
    }

    /// Returns the highest offset of a reader that is not dropped.
    pub(super) fn fastest(&self) -> Option<u64> {
        self.offsets.last().map(|(at, _)| *at)
    }

    /// Returns the offset of a reader, unless it is detached or dropped.
    pub(super) fn at(&self, key: ReaderKey) -> Option<u64> {
        self.readers.get(key).filter(|reader| !reader.dropped).map(|reader| reader.at)
    }

    /// Moves a reader to another offset; returns false if it is detached or dropped.
    pub(super) fn put(&mut self, key: ReaderKey, at: u64) -> bool {
        let Some(reader) = self.readers.get_mut(key).filter(|reader| !reader.dropped) else {
            return false;
        };
        let before = std::mem::replace(&mut reader.at, at);
        if before != at {
            self.enter(at, 1);
            self.leave(before);
        }
        true
    }

    /// Moves all readers before an offset to that offset.
    pub(super) fn advance_all(&mut self, to: u64) {
        let mut before = 0;
        for (_, reader) in self.readers.iter_mut().filter(|(_, reader)| reader.at < to) {
            before += usize::from(!reader.dropped);
            reader.at = to;
        }
        self.drop_before(to);
        if before > 0 {
            self.enter(to, before);
        }
    }

    /// Drops the readers before an offset, and wakes them.
    pub(super) fn mark_dropped_before(&mut self, offset: u64, wake: &mut impl Wake) {
        for (_, reader) in self.readers.iter_mut() {
            if !reader.dropped && reader.at < offset {
                reader.dropped = true;
                wake.wake(reader.token);
            }
        }
        self.drop_before(offset);
    }

    /// Parks a reader: it is woken when there is more.
    pub(super) fn park(&mut self, key: ReaderKey) {
        let reader = self.readers.get_mut(key);
        if reader.is_some_and(|reader| !std::mem::replace(&mut reader.parked, true)) {
            self.note_parked(key);
        }
    }

    /// Wakes the readers that are parked.
    pub(super) fn wake(&mut self, wake: &mut impl Wake) {
        work::count(self.parked.len());
        for key in self.parked.drain(..) {
            if let Some(reader) = self.readers.get_mut(key) {
                reader.parked = false;
                wake.wake(reader.token);
            }
        }
    }

    /// Returns the offsets of the readers that are not dropped.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u64> {
        self.offsets.iter().map(|(at, _)| *at)
    }

    /// Panics if the offsets and counts are inconsistent.
    pub(super) fn check(&self) {
        let mut offsets = BTreeMap::new();
        for (key, reader) in self.readers.iter() {
            assert!(!reader.parked || self.parked.contains(&key), "a parked reader is woken");
            if !reader.dropped {
                *offsets.entry(reader.at).or_insert(0) += 1;
            }
        }
        let offsets: Vec<_> = offsets.into_iter().collect();
        assert_eq!(offsets, self.offsets, "readers are counted where they are");
    }

    fn note_parked(&mut self, key: ReaderKey) {
        const FEW: usize = 16;
        if self.parked.len() > 2 * self.readers.len() + FEW {
            self.parked.retain(|key| self.readers.get(*key).is_some());
        }
        self.parked.push(key);
    }

    /// Returns the index of an offset, or the index at which to insert it.
    fn find(&self, at: u64) -> Result<usize, usize> {
        work::count(work::LOOK_UP);
        self.offsets.binary_search_by_key(&at, |(offset, _)| *offset)
    }

    fn enter(&mut self, at: u64, readers: usize) {
        match self.find(at) {
            Ok(place) => self.offsets[place].1 += readers,
            Err(place) => {
                work::count(self.offsets.len() - place);
                self.offsets.insert(place, (at, readers));
            }
        }
    }

    fn leave(&mut self, at: u64) {
        if let Ok(place) = self.find(at) {
            self.offsets[place].1 -= 1;
            if self.offsets[place].1 == 0 {
                work::count(self.offsets.len() - place);
                self.offsets.remove(place);
            }
        }
    }

    fn drop_before(&mut self, offset: u64) {
        let first = self.offsets.partition_point(|(at, _)| *at < offset);
        self.offsets.drain(..first);
    }
}
