//! Shadow of a plain LRU order with the same memory. Only its books are kept, to compare its misses
//! with those of GDSF.
//!
//! Time is divided into epochs. An epoch ends when LRU would have replaced a certain part of its
//! contents. Entries and ghosts know the epoch of their last use. For each recent epoch, the shadow
//! knows the bytes that were last used in it. LRU would hold the most recent of these, up to the
//! available memory.

use std::collections::VecDeque;

/// Number of epochs in which LRU replaces all of its contents.
const TURN: u16 = 32;
/// Number of epochs before misses are compared. Until everything was replaced once, both orders are
/// alike.
const ENOUGH: u16 = TURN * 5 / 4;
/// Number of known epochs. LRU has certainly replaced everything that was last used before them.
const KNOWN: usize = 2 * TURN as usize;
/// Reach of LRU while memory is not used up: it would hold everything.
const EVERYTHING: u16 = u16::MAX;

/// Contents that plain LRU would have, and its recent misses.
#[derive(Debug)]
pub(super) struct ShadowLru {
    epoch: u16,
    /// Bytes last used in this epoch, in the one before, and so on.
    latest: VecDeque<usize>,
    /// Number of epochs whose bytes LRU would hold.
    reach: u16,
    /// Bytes that LRU would have fetched in this epoch.
    fetched: usize,
    /// Epochs since memory was used up, at most [`ENOUGH`].
    seen: u16,
    objects: Score,
    bytes: Score,
}

/// Sums over epochs, in which older epochs count for less.
#[derive(Debug, Default)]
struct Score {
    /// Misses of LRU.
    missed: i64,
    /// Misses of LRU that GDSF hits, less misses of GDSF that LRU would hit.
    ahead: i64,
}

impl Default for ShadowLru {
    fn default() -> Self {
        Self {
            epoch: 0,
            latest: VecDeque::from([0]),
            reach: EVERYTHING,
            fetched: 0,
            seen: 0,
            objects: Score::default(),
            bytes: Score::default(),
        }
    }
}

impl ShadowLru {
    /// Records a use of `weight` bytes, whose last use was in the epoch `last`, if known. `hit` is
    /// true if GDSF held them. Returns the epoch of this use, which the caller keeps for the next
    /// call.
    pub(super) fn used(&mut self, last: Option<u16>, weight: usize, hit: bool) -> u16 {
        let held = last.is_some_and(|last| self.age(last) < self.reach);
        if let Some(last) = last {
            self.gone(last, weight);
        }
        self.latest[0] += weight;
        if !held {
            self.fetched += weight;
        }
        if self.reach != EVERYTHING {
            self.objects.count(1 << 8, hit, held); // in 256ths, so that small sums fade, too
            self.bytes.count(weight as i64, hit, held);
        }
        self.epoch
    }

    /// Records that `weight` bytes, last used in the epoch `last`, are gone.
    pub(super) fn gone(&mut self, last: u16, weight: usize) {
        let age = usize::from(self.age(last));
        if let Some(bytes) = self.latest.get_mut(age) {
            *bytes = bytes.saturating_sub(weight);
        }
    }

    /// Returns true if GDSF is ahead of LRU with the same `memory`, both by objects and by bytes.
    /// Returns `None` except at the end of an epoch, and until enough epochs have passed.
    pub(super) fn judge(&mut self, memory: usize) -> Option<bool> {
        if self.fetched <= memory / usize::from(TURN) {
            return None;
        }
        self.begin_epoch(memory);
        if self.reach == EVERYTHING {
            return None;
        }
        let ahead = self.objects.is_ahead() && self.bytes.is_ahead();
        self.objects.fade();
        self.bytes.fade();
        self.seen = (self.seen + 1).min(ENOUGH);
        (self.seen == ENOUGH).then_some(ahead)
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.latest.capacity() * size_of::<usize>()
    }

    fn begin_epoch(&mut self, memory: usize) {
        self.fetched = 0;
        self.epoch = self.epoch.wrapping_add(1);
        self.latest.truncate(KNOWN - 1);
        self.latest.push_front(0);
        let sums = self.latest.iter().scan(0, |sum: &mut usize, bytes| {
            *sum += bytes;
            Some(*sum)
        });
        let reach = (1..).zip(sums).find(|(_, sum)| *sum > memory);
        self.reach = reach.map_or(EVERYTHING, |(reach, _)| reach);
    }

    const fn age(&self, epoch: u16) -> u16 {
        self.epoch.wrapping_sub(epoch)
    }
}

impl Score {
    /// Counts a request of this weight. `hit` is true if GDSF held the object, `held` if LRU would
    /// have.
    fn count(&mut self, much: i64, hit: bool, held: bool) {
        self.missed += if held { 0 } else { much };
        self.ahead += (i64::from(hit) - i64::from(held)) * much;
    }

    /// Returns true if GDSF is ahead by at least 1/64 of the misses of LRU, so that inexact sums do
    /// not decide.
    const fn is_ahead(&self) -> bool {
        64 * self.ahead >= self.missed
    }

    fn fade(&mut self) {
        self.missed -= self.missed / 16;
        self.ahead -= self.ahead / 16;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Returns the verdicts on requests for `keys`, with memory for 1,000 of them. `hit` returns
    /// true for keys that count as hits.
    fn verdicts(keys: impl Iterator<Item = usize>, hit: impl Fn(usize) -> bool) -> Vec<bool> {
        const WEIGHT: usize = 10;
        let (mut rival, mut last) = (ShadowLru::default(), HashMap::new());
        let mut verdicts = Vec::new();
        for key in keys {
            let epoch = rival.used(last.get(&key).copied(), WEIGHT, hit(key));
            last.insert(key, epoch);
            verdicts.extend(rival.judge(1_000 * WEIGHT));
        }
        verdicts
    }

    #[test]
    fn no_verdict_while_everything_fits() {
        assert!(verdicts((0..900).cycle().take(40_000), |_| false).is_empty());
    }

    #[test]
    fn holding_part_of_a_repeated_scan_is_ahead() {
        let verdicts = verdicts((0..2_000).cycle().take(40_000), |key| key < 500);
        assert!(verdicts.len() > 100 && verdicts.iter().all(|ahead| *ahead));
    }

    #[test]
    fn missing_popular_keys_is_behind() {
        let keys = (0..40_000).map(|at| if at % 2 == 0 { at % 100 } else { at });
        let verdicts = verdicts(keys, |_| false);
        assert!(verdicts.len() > 100 && !verdicts.iter().any(|ahead| *ahead));
    }

    #[test]
    fn recent_requests_count_more_than_old_ones() {
        // A long scan of which a part was held, then popular keys that were not held.
        let scan = (0..2_000).cycle().take(100_000);
        let then = (0..40_000).map(|at| if at % 2 == 0 { at % 100 } else { at });
        let verdicts = verdicts(scan.chain(then), |key| (100..600).contains(&key));
        assert!(verdicts[100] && !verdicts[verdicts.len() - 1]);
    }

    #[test]
    fn epochs_count_the_bytes_last_used_in_them() {
        let mut rival = ShadowLru::default();
        let epoch = rival.used(None, 100, false);
        assert_eq!((rival.latest[0], rival.fetched), (100, 100));
        rival.used(Some(epoch), 100, true);
        assert_eq!((rival.latest[0], rival.fetched), (100, 100), "it is used again");
        rival.gone(epoch, 60);
        assert_eq!(rival.latest[0], 40);
        (0..200).for_each(|_| rival.begin_epoch(1000));
        assert_eq!((rival.latest.len(), rival.reach), (KNOWN, EVERYTHING));
        assert!(rival.weight() >= KNOWN * size_of::<usize>());
    }

    #[test]
    fn lru_holds_the_latest_epochs_that_fit() {
        let mut rival = ShadowLru::default();
        let mut epochs: Vec<u16> = Vec::new();
        for _ in 0..4 {
            epochs.push(rival.used(None, 500, false));
            rival.begin_epoch(1000);
        }
        // Two epochs of 500 bytes fit beside an empty one; the third exceeds the memory.
        assert_eq!(rival.reach, 4);
        assert_eq!(
            (rival.objects.missed, rival.bytes.missed),
            (256, 500),
            "of the epoch since then"
        );
        rival.used(Some(epochs[0]), 500, false);
        assert_eq!(rival.fetched, 500, "LRU has replaced it");
        rival.used(Some(epochs[3]), 500, false);
        assert_eq!(rival.fetched, 500, "LRU has it");
    }

    #[test]
    fn ahead_means_by_objects_and_by_bytes() {
        for (objects, bytes) in [(1, 1), (1, -1), (-1, 1)] {
            let mut rival = ShadowLru { seen: ENOUGH, ..ShadowLru::default() };
            rival.used(None, 2000, false);
            (rival.objects.ahead, rival.bytes.ahead) = (1000 * objects, 1000 * bytes);
            assert_eq!(rival.judge(1000), Some(objects + bytes == 2));
        }
    }
}
