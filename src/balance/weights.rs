//! Weighted draws in O(log n).

use crate::work::count;

/// Weights by index, with their prefix sums (Fenwick, 1994).
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    weights: Vec<u64>,
    /// Sums at 1-based positions: that at `p` is over the last `p & -p` weights up to `p`. The
    /// number of positions is a power of two.
    sums: Vec<u64>,
    total: u64,
}

impl Weights {
    /// Returns the sum of all weights.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the weight at `index`; 0 if none was set.
    pub(super) fn get(&self, index: usize) -> u64 {
        self.weights.get(index).copied().unwrap_or(0)
    }

    /// Sets the weight at `index`.
    pub(super) fn set(&mut self, index: usize, weight: u64) {
        if index >= self.weights.len() {
            self.grow(index + 1);
        }
        let old = std::mem::replace(&mut self.weights[index], weight);
        self.total = self.total - old + weight;
        let mut position = index + 1;
        while position <= self.sums.len() {
            count(1);
            let sum = &mut self.sums[position - 1];
            *sum = *sum - old + weight;
            position += position & position.wrapping_neg();
        }
    }

    /// Returns the index whose range of the line of all weights contains `point`; `None` if `point`
    /// is not below the total.
    pub(super) fn at(&self, mut point: u64) -> Option<usize> {
        if point >= self.total {
            return None;
        }
        let (mut index, mut half) = (0, self.sums.len());
        while half > 0 {
            count(1);
            if let Some(&sum) = self.sums.get(index + half - 1)
                && sum <= point
            {
                point -= sum;
                index += half;
            }
            half /= 2;
        }
        Some(index)
    }

    fn grow(&mut self, length: usize) {
        let length = length.next_power_of_two();
        count(length);
        self.weights.resize(length, 0);
        let mut position = (2 * self.sums.len()).max(1);
        self.sums.resize(length, 0);
        // Only sums at powers of two are over weights that were there before.
        while position <= length {
            self.sums[position - 1] = self.total;
            position *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A point belongs to the index that adding up the weights finds.
        #[test]
        fn points_are_found_as_by_adding_up(
            changes in vec((0usize..40, 0u64..5), 0..60),
        ) {
            let (mut weights, mut plain) = (Weights::default(), vec![0; 40]);
            for (index, weight) in changes {
                weights.set(index, weight);
                plain[index] = weight;
                let line: Vec<usize> = plain
                    .iter()
                    .enumerate()
                    .flat_map(|(index, &weight)| (0..weight).map(move |_| index))
                    .collect();
                prop_assert_eq!(weights.total(), line.len() as u64);
                let found: Vec<usize> = (0..).map_while(|point| weights.at(point)).collect();
                prop_assert_eq!(found, line);
            }
        }
    }
}
