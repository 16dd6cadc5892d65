//! What is remembered of evicted entries, so that one that comes back is known: a table of fixed
//! places, where a newer one takes the place of an older.

use crate::work;

/// Shards; each has its keys by the first bits of their hash. One grows at a time, when it is used.
const SHARDS: usize = 64;

/// Those that were evicted, by the hash of their key.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// 40 bits of the hash, 16 of the epoch and 8 of credit; 0 for nobody.
    shards: Vec<Vec<u64>>,
    /// Places that each shard should have.
    wanted: usize,
    /// Places that all shards have.
    places: usize,
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
            *place = hash >> BITS << BITS | u64::from(rest);
        }
    }

    /// What is remembered of a key, and is not any more.
    pub(super) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let place = self.place(hash)?;
        let found = *place;
        if found == 0 || found >> BITS != hash >> BITS {
            return None;
        }
        *place = 0;
        let [.., high, low, credit] = found.to_be_bytes();
        Some(Ghost { epoch: u16::from_be_bytes([high, low]), credit })
    }

    /// Has at least two places for each of `entries`: what was evicted is remembered for about as
    /// long as it takes to replace everything twice.
    pub(super) fn grow(&mut self, entries: usize) {
        let wanted = (2 * entries).div_ceil(SHARDS);
        if wanted > self.wanted {
            self.wanted = wanted + wanted / 8;
        }
    }

    /// Bytes taken.
    pub(super) fn weight(&self) -> usize {
        self.places * size_of::<u64>() + self.shards.capacity() * size_of::<Vec<u64>>()
    }

    /// The place of a key, in a shard that is as large as it should be.
    fn place(&mut self, hash: u64) -> Option<&mut u64> {
        if self.wanted == 0 {
            return None;
        }
        self.shards.resize(SHARDS, Vec::new());
        let shard =
            self.shards.get_mut(usize::try_from(hash >> (u64::BITS - SHARDS.ilog2())).ok()?)?;
        if shard.len() < self.wanted {
            self.places += self.wanted - shard.len();
            work::count(self.wanted);
            let old = std::mem::replace(shard, vec![0; self.wanted]);
            for ghost in old.into_iter().filter(|ghost| *ghost != 0) {
                let place = place_in(ghost, self.wanted);
                shard[place] = ghost;
            }
        }
        shard.get_mut(place_in(hash, self.wanted))
    }
}

/// The place of a key in its shard. Hashes and places have the same order, so that growing goes through
/// memory once.
fn place_in(hash: u64, places: usize) -> usize {
    let place = (u128::from(hash << SHARDS.ilog2()) * places as u128) >> u64::BITS;
    usize::try_from(place).unwrap_or(0)
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

    #[test]
    fn twice_as_many_are_remembered_as_there_are_entries() {
        let mut ghosts = Ghosts::default();
        let hash = |n: u64| (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let ghost = Ghost { epoch: 1, credit: 3 };
        ghosts.grow(10_000);
        let before = work::Mark::now();
        (0..10_000).for_each(|n| ghosts.put(hash(n), ghost));
        assert!(before.steps() < 30_000, "each shard grows once: {} steps", before.steps());
        let places = ghosts.places;
        assert!((20_000..24_000).contains(&places), "{places} places");
        assert!(ghosts.weight() >= places * 8 + SHARDS * size_of::<Vec<u64>>());
        let known = (0..10_000).filter(|n| ghosts.take(hash(*n)) == Some(ghost)).count();
        assert!(known > 7000, "{known} of 10,000");
        let unknown = (10_000..20_000).filter(|n| ghosts.take(hash(*n)).is_some()).count();
        assert_eq!(unknown, 0);
    }

    #[test]
    fn newer_ghost_takes_the_place_of_an_older_one() {
        let mut ghosts = Ghosts::default();
        ghosts.grow(1);
        let (old, new) = (Ghost { epoch: 3, credit: 255 }, Ghost { epoch: 5, credit: 1 });
        ghosts.put(1 << 40, old);
        ghosts.put(1 << 40, new);
        assert_eq!(ghosts.take(1 << 40), Some(new));
        ghosts.put(1 << 40, old);
        assert_eq!(ghosts.take(1 << 41), None, "that one was not evicted");
        assert_eq!(ghosts.take(1 << 40), Some(old), "and it is still known");
    }
}
