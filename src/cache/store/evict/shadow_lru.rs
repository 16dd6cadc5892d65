//! Plain LRU with the same memory, of which only the books are kept: would it miss less?
//!
//! Time is cut into epochs: each ends when LRU would have replaced a certain part of what it holds.
//! Entries and ghosts know the epoch of their last use, and for each of the latest epochs it is known
//! how many bytes were used in it last. LRU would hold the newest of these, up to the memory there is.

use std::collections::VecDeque;

/// In so many epochs, LRU replaces all that it holds.
const TURN: u16 = 32;
/// After so many, what both would miss is compared. Until everything was replaced, they are alike.
const ENOUGH: u16 = TURN * 5 / 4;
/// How many epochs are known: what was used last before them, LRU has replaced for certain.
const KNOWN: usize = 2 * TURN as usize;
/// While there is memory left, LRU would hold whatever there is.
const EVERYTHING: u16 = u16::MAX;

/// What plain LRU would hold, and what it would have missed lately.
#[derive(Debug)]
pub(super) struct ShadowLru {
    epoch: u16,
    /// Bytes used last in this epoch, in the one before it, and so on.
    latest: VecDeque<usize>,
    /// LRU would hold what was used in so many of them.
    reach: u16,
    /// Bytes that LRU would have fetched in this epoch.
    fetched: usize,
    /// Epochs since memory was used up, until there are enough to judge by.
    seen: u16,
    objects: Score,
    bytes: Score,
}

/// Sums in which an epoch counts for less the longer it is over.
#[derive(Debug, Default)]
struct Score {
    /// Missed by LRU.
    missed: i64,
    /// Missed by LRU and not by us, less what was missed by us and not by LRU.
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
    /// Something of `weight` bytes is used, and was last in that epoch, if it is known. Whether it
    /// was a `hit`. The epoch of this use, to be noted with it.
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
            self.objects.count(1 << 8, hit, held); // with a fraction, so that few of them fade, too
            self.bytes.count(weight as i64, hit, held);
        }
        self.epoch
    }

    /// Something that was used last in that epoch is no more.
    pub(super) fn gone(&mut self, last: u16, weight: usize) {
        let age = usize::from(self.age(last));
        if let Some(bytes) = self.latest.get_mut(age) {
            *bytes = bytes.saturating_sub(weight);
        }
    }

    /// At the end of an epoch: whether we are ahead of LRU with the same `memory`, by objects and by
    /// bytes. Nothing before there is enough to judge by.
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

    /// Bytes taken.
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
    /// A request that counts for `much`: whether we had a `hit`, and whether LRU would have `held` it.
    fn count(&mut self, much: i64, hit: bool, held: bool) {
        self.missed += if held { 0 } else { much };
        self.ahead += (i64::from(hit) - i64::from(held)) * much;
    }

    /// By a 64th at least, so that what is not known exactly does not decide.
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

    /// What is said of requests for `keys` with memory for 1,000 of them, some of which are hits.
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
    fn nothing_is_said_where_everything_fits() {
        assert!(verdicts((0..900).cycle().take(40_000), |_| false).is_empty());
    }

    #[test]
    fn to_hold_a_part_of_a_scan_that_repeats_is_better() {
        let verdicts = verdicts((0..2_000).cycle().take(40_000), |key| key < 500);
        assert!(verdicts.len() > 100 && verdicts.iter().all(|ahead| *ahead));
    }

    #[test]
    fn not_to_hold_what_is_used_all_the_time_is_worse() {
        let keys = (0..40_000).map(|at| if at % 2 == 0 { at % 100 } else { at });
        let verdicts = verdicts(keys, |_| false);
        assert!(verdicts.len() > 100 && !verdicts.iter().any(|ahead| *ahead));
    }

    #[test]
    fn what_changed_counts_more_than_what_was_long_ago() {
        // A long scan, of which a part was held, then what is used all the time and was not.
        let scan = (0..2_000).cycle().take(100_000);
        let then = (0..40_000).map(|at| if at % 2 == 0 { at % 100 } else { at });
        let verdicts = verdicts(scan.chain(then), |key| (100..600).contains(&key));
        assert!(verdicts[100] && !verdicts[verdicts.len() - 1]);
    }

    #[test]
    fn bytes_of_the_epochs_are_those_used_last_in_them() {
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
    fn lru_holds_the_newest_epochs_that_fit() {
        let mut rival = ShadowLru::default();
        let mut epochs: Vec<u16> = Vec::new();
        for _ in 0..4 {
            epochs.push(rival.used(None, 500, false));
            rival.begin_epoch(1000);
        }
        // Of 500 bytes each, two fit beside an epoch with none; the third is one too many.
        assert_eq!(rival.reach, 4);
        assert_eq!((rival.objects.missed, rival.bytes.missed), (256, 500), "of the one since then");
        rival.used(Some(epochs[0]), 500, false);
        assert_eq!(rival.fetched, 500, "LRU has replaced it");
        rival.used(Some(epochs[3]), 500, false);
        assert_eq!(rival.fetched, 500, "LRU has it");
    }

    #[test]
    fn ahead_is_who_is_by_objects_and_by_bytes() {
        for (objects, bytes) in [(1, 1), (1, -1), (-1, 1)] {
            let mut rival = ShadowLru { seen: ENOUGH, ..ShadowLru::default() };
            rival.used(None, 2000, false);
            (rival.objects.ahead, rival.bytes.ahead) = (1000 * objects, 1000 * bytes);
            assert_eq!(rival.judge(1000), Some(objects + bytes == 2));
        }
    }
}
