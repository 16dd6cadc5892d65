//! Bias of GDSF towards plain LRU. The more it resembles LRU, the more a new entry counts, and the
//! less past uses and sizes do.

/// Credit of one use.
pub(super) const USE: u64 = 256;
/// Maximum credit of an entry. It is bounded so that a formerly popular entry is evicted within a
/// while.
pub(super) const MOST: u64 = 16 * USE;

/// The bias, from 0 (least like LRU) to [`LRU`].
#[derive(Debug)]
pub(super) struct LruBias(u64);

/// Maximum bias. Sizes count a little even there.
const LRU: u64 = 16;

impl Default for LruBias {
    fn default() -> Self {
        Self(LRU / 2)
    }
}

impl LruBias {
    /// Shifts the bias: by one away from LRU if GDSF was `ahead`, otherwise by four towards it.
    pub(super) fn shift(&mut self, ahead: bool) {
        self.0 = if ahead { self.0.saturating_sub(1) } else { (self.0 + 4).min(LRU) };
    }

    /// Returns the credit of a new entry: from 1/32 of a use to a whole one.
    pub(super) fn newcomer(&self) -> u64 {
        exp2(log2(USE / 32) + 5 * ONE * self.0 / LRU)
    }

    /// Returns the maximum credit of an entry. The more a new entry counts, the less past uses do.
    pub(super) fn most(&self) -> u64 {
        (USE * USE / self.newcomer()).clamp(3 * USE / 2, MOST)
    }

    /// Returns the value of `credit` for an entry of `weight` bytes. The value falls with the
    /// weight by a power from 1/2 to 1/16. In inverse proportion to the weight, the fewest requests
    /// would miss, but far too many bytes.
    pub(super) fn value(&self, credit: u64, weight: usize) -> u64 {
        /// Logarithm of the weight at which the power makes no difference.
        const MIDDLE: u64 = 13 * ONE;
        /// Logarithm of the value of one credit at that weight. It leaves room for the largest
        /// weights.
        const SCALE: u64 = 26 * ONE;
        let power = 8 * LRU - 7 * self.0; // in 256ths
        credit * exp2(SCALE + power * MIDDLE / 256 - power * log2(weight as u64) / 256)
    }
}

/// Fixed-point 1 of the logarithms.
const ONE: u64 = 1 << 8;

/// Returns the logarithm to base 2 of `number`, with linear interpolation between powers of 2.
fn log2(number: u64) -> u64 {
    let whole = number.max(1).ilog2();
    let fraction = (number << (63 - whole) << 1) >> 56;
    u64::from(whole) * ONE + fraction
}

/// Returns the inverse of [`log2`].
const fn exp2(log: u64) -> u64 {
    ((ONE + log % ONE) << (log / ONE)) / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_inverts_log2() {
        for number in (1..1000).chain([4097, 1 << 40]) {
            let found = exp2(log2(number));
            assert!(found <= number && number - found <= number / 256, "{number}: {found}");
        }
        assert_eq!(log2(0), 0);
        assert_eq!(log2(u64::MAX), 64 * ONE - 1);
    }

    #[test]
    fn values_are_ordered_over_the_whole_range() {
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
    fn shift_towards_lru_is_faster() {
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
