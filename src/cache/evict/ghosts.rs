//! What is remembered of evicted entries, so that one that comes back is known: a table of fixed
//! places, where a newer one takes the place of an older.

/// The credit of those that were evicted, by the hash of their key.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// 56 bits of the hash and 8 of credit; 0 for nobody.
    places: Vec<u64>,
}

const CREDIT: u64 = 0xFF;

impl Ghosts {
    /// Remembers a key and its credit.
    pub(super) fn put(&mut self, hash: u64, credit: u8) {
        if let Some(place) = self.place(hash) {
            self.places[place] = hash & !CREDIT | u64::from(credit);
        }
    }

    /// What is remembered of a key, and is not any more.
    pub(super) fn take(&mut self, hash: u64) -> Option<u8> {
        let place = self.place(hash)?;
        let found = self.places[place];
        if found & !CREDIT != hash & !CREDIT {
            return None;
        }
        self.places[place] = 0;
        u8::try_from(found & CREDIT).ok()
    }

    /// Has at least two places for each of `entries`: what was evicted is remembered for about as
    /// long as it takes to replace everything twice.
    pub(super) fn grow(&mut self, entries: usize) {
        let wanted = (2 * entries).next_power_of_two();
        if wanted <= self.places.len() {
            return;
        }
        let old = std::mem::replace(&mut self.places, vec![0; wanted]);
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

    fn place(&self, hash: u64) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        usize::try_from((hash >> 8) & last as u64).ok()
    }
}
