//! Ghosts: the memory of evicted entries, by which a returning entry is recognised. They stand in a
//! table of fixed places, where a newer ghost replaces an older one.

use crate::work;

/// Number of shards. The first bits of a key's hash select its shard. A shard grows when it is
/// used, one at a time.
const SHARDS: usize = 64;

/// Ghosts by the hash of their key.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// Per place, 40 bits of the hash, 16 of the epoch and 8 of the credit; 0 if the place is
    /// empty.
    shards: Vec<Vec<u64>>,
    /// Wanted number of places per shard.
    wanted: usize,
    /// Number of places of all shards.
    places: usize,
}

/// An entry that was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    /// Epoch of the last use.
    pub(super) epoch: u16,
    pub(super) credit: u8,
}

/// Bits of a place that do not belong to the hash.
const BITS: u32 = u16::BITS + u8::BITS;

impl Ghosts {
    /// Remembers an evicted key.
    pub(super) fn put(&mut self, hash: u64, ghost: Ghost) {
        if let Some(place) = self.place(hash) {
            let [high, low] = ghost.epoch.to_be_bytes();
            let rest = u32::from_be_bytes([0, high, low, ghost.credit]);
            *place = hash >> BITS << BITS | u64::from(rest);
        }
    }

    /// Returns and forgets the ghost of a key.
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

    /// Provides at least two places for each of `entries`. An evicted entry is then remembered for
    /// about as long as it takes to replace all entries twice.
    pub(super) fn grow(&mut self, entries: usize) {
        let wanted = (2 * entries).div_ceil(SHARDS);
        if wanted > self.wanted {
            self.wanted = wanted + wanted / 8;
        }
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.places * size_of::<u64>() + self.shards.capacity() * size_of::<Vec<u64>>()
    }

    /// Returns the place of a key, after growing its shard to the wanted size.
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

/// Returns the place of a key in its shard. Places have the same order as hashes, so that growing
/// passes through memory once.
fn place_in(hash: u64, places: usize) -> usize {
    let place = (u128::from(hash << SHARDS.ilog2()) * places as u128) >> u64::BITS;
    usize::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ghost_is_found_once_with_its_values() {
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
    fn ghosts_have_two_places_per_entry() {
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
    fn newer_ghost_replaces_an_older_one() {
        let mut ghosts = Ghosts::default();
        ghosts.grow(1);
        let (old, new) = (Ghost { epoch: 3, credit: 255 }, Ghost { epoch: 5, credit: 1 });
        ghosts.put(1 << 40, old);
        ghosts.put(1 << 40, new);
        assert_eq!(ghosts.take(1 << 40), Some(new));
        ghosts.put(1 << 40, old);
        assert_eq!(ghosts.take(1 << 41), None, "this key was not evicted");
        assert_eq!(ghosts.take(1 << 40), Some(old), "and it is still known");
    }
}
