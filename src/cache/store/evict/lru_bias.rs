//! How much the order is like plain LRU. From one end to the other, newcomers count for more, past
//! uses for less, and so do sizes.

/// The credit of one use.
pub(super) const USE: u64 = 256;
/// The most credit that an entry ever has: what was popular once has to go within a while.
pub(super) const MOST: u64 = 16 * USE;

/// 0 for the least like LRU.
#[derive(Debug)]
pub(super) struct LruBias(u64);

/// The most like LRU. Sizes count a little even then.
const LRU: u64 = 16;

impl Default for LruBias {
    fn default() -> Self {
        Self(LRU / 2)
    }
}

impl LruBias {
    /// Leans away from LRU if that was the worse of both, else towards it, and that faster.
    pub(super) fn shift(&mut self, ahead: bool) {
        self.0 = if ahead { self.0.saturating_sub(1) } else { (self.0 + 4).min(LRU) };
    }

    /// The credit of one that was never here: from a use in 32 to a whole one.
    pub(super) fn newcomer(&self) -> u64 {
        exp2(log2(USE / 32) + 5 * ONE * self.0 / LRU)
    }

    /// The most credit there is: the more a newcomer counts, the less do past uses.
    pub(super) fn most(&self) -> u64 {
        (USE * USE / self.newcomer()).clamp(3 * USE / 2, MOST)
    }

    /// What `credit` is worth for an entry of `weight` bytes: the larger, the less, by a power from
    /// 1/2 to 1/16. In proportion, the fewest requests would miss, and far too many bytes.
    pub(super) fn value(&self, credit: u64, weight: usize) -> u64 {
        /// The logarithm of the size whose credit is worth the same with any power.
        const MIDDLE: u64 = 13 * ONE;
        /// That of what one of credit is worth then: there is room for the largest.
        const SCALE: u64 = 26 * ONE;
        let power = 8 * LRU - 7 * self.0; // in 256ths
        credit * exp2(SCALE + power * MIDDLE / 256 - power * log2(weight as u64) / 256)
    }
}

/// 1, where logarithms are calculated.
const ONE: u64 = 1 << 8;

/// The logarithm of `number`, about: from one power of 2 to the next, along a straight line.
fn log2(number: u64) -> u64 {
    let whole = number.max(1).ilog2();
    let fraction = (number << (63 - whole) << 1) >> 56;
    u64::from(whole) * ONE + fraction
}

/// What that is the logarithm of.
const fn exp2(log: u64) -> u64 {
    ((ONE + log % ONE) << (log / ONE)) / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_there_and_back_again() {
        for number in (1..1000).chain([4097, 1 << 40]) {
            let found = exp2(log2(number));
            assert!(found <= number && number - found <= number / 256, "{number}: {found}");
        }
        assert_eq!(log2(0), 0);
        assert_eq!(log2(u64::MAX), 64 * ONE - 1);
    }

    #[test]
    fn from_one_end_to_the_other() {
        let ends = [LruBias(0), LruBias(LRU)];
        assert_eq!(ends.each_ref().map(LruBias::newcomer), [USE / 32, USE]);
        assert_eq!(ends.each_ref().map(LruBias::most), [MOST, 3 * USE / 2]);
        for lean in (0..=LRU).map(LruBias) {
            let values = [1, 200, 10_000, 1 << 24, usize::MAX].map(|w| lean.value(USE, w));
            assert!(values.is_sorted_by(|small, large| small > large), "{lean:?}: {values:?}");
            assert!(lean.value(MOST, 1) < 1 << 48 && lean.value(1, usize::MAX) > 0);
        }
    }

    #[test]
    fn towards_lru_is_faster() {
        let mut lean = LruBias(2);
        lean.shift(false);
        assert_eq!(lean.0, 6);
        lean.shift(true);
        assert_eq!(lean.0, 5);
        (0..3).for_each(|_| lean.shift(false));
        assert_eq!(lean.0, LRU);
        (0..20).for_each(|_| lean.shift(true));
        assert_eq!(lean.0, 0);
    }
}
