//! Random numbers that are reproducible from a seed.

use std::ops::Range;
use std::time::Duration;

/// A small generator (SplitMix64, Steele, Lea and Flood 2014), for simulations. Never use it for
/// secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Creates the generator of the given seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a random number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which must not be 0.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
    pub const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Returns true with a probability of `percent` in a hundred.
    pub const fn percent(&mut self, percent: u32) -> bool {
        self.next() % 100 < percent as u64
    }

    /// Returns a duration within `range`, or its start if it is empty.
    pub fn duration(&mut self, range: &Range<Duration>) -> Duration {
        let nanos = range.end.saturating_sub(range.start).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        range.start + Duration::from_nanos(self.next().checked_rem(nanos).unwrap_or(0))
    }

    /// Returns one of `choices`, which must not be empty.
    pub const fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Shuffles `list`.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}
