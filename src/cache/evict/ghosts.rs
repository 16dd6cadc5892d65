//! What is remembered of evicted entries, so that one that comes back is known: a table of fixed
//! places, where a newer one takes the place of an older.

/// Those that were evicted, by the hash of their key.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// 40 bits of the hash, 16 of the epoch and 8 of credit; 0 for nobody.
    places: Vec<u64>,
}

/// An entry that was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    /// When it was used last.
    pub(super) epoch: u16,
    pub(super) credit: u8,
}

/// Bits of a place that are not of the hash.
const BITS: u32 = u16::BITS + u8::BITS;

impl Ghosts {
    /// Remembers a key.
    pub(super) fn put(&mut self, hash: u64, ghost: Ghost) {
        if let Some(place) = self.place(hash) {
            let [high, low] = ghost.epoch.to_be_bytes();
            let rest = u32::from_be_bytes([0, high, low, ghost.credit]);
            self.places[place] = hash >> BITS << BITS | u64::from(rest);
        }
    }

    /// What is remembered of a key, and is not any more.
    pub(super) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let place = self.place(hash)?;
        let found = self.places[place];
        if found == 0 || found >> BITS != hash >> BITS {
            return None;
        }
        self.places[place] = 0;
        let [.., high, low, credit] = found.to_be_bytes();
        Some(Ghost { epoch: u16::from_be_bytes([high, low]), credit })
    }

    /// Has at least two places for each of `entries`: what was evicted is remembered for about as
    /// long as it takes to replace everything twice.
    pub(super) fn grow(&mut self, entries: usize) {
        let wanted = 2 * entries;
        if wanted <= self.places.len() {
            return;
        }
        let old = std::mem::replace(&mut self.places, vec![0; wanted + wanted / 8]);
        for ghost in old.into_iter().filter(|ghost| *ghost != 0) {
            if let Some(place) = self.place(ghost) {
                self.places[place] = ghost;
            }
        }
    }

    /// Bytes taken.
    pub(super) const fn weight(&self) -> usize {
        self.places.capacity() * size_of::<u64>()
    }

    /// Hashes and places have the same order, so that growing goes through memory once.
    fn place(&self, hash: u64) -> Option<usize> {
        let place = (u128::from(hash) * self.places.len() as u128) >> u64::BITS;
        usize::try_from(place).ok().filter(|place| *place < self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghost_is_found_once_and_as_it_was() {
        let mut ghosts = Ghosts::default();
        let (hash, ghost) = (0xFEDC_BA98_7654_3210, Ghost { epoch: 0xABCD, credit: 0xEF });
        ghosts.put(hash, ghost);
        assert_eq!(ghosts.take(hash), None, "there is no place yet");
        ghosts.grow(10);
        ghosts.put(hash, ghost);
        ghosts.grow(1000);
        assert_eq!(ghosts.take(!hash), None);
        assert_eq!(ghosts.take(hash), Some(ghost));
        assert_eq!(ghosts.take(hash), None);
    }
}
