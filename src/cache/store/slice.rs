//! Bounded slices of deferred work, so that no turn takes long.

use crate::work::LOOK_UP;

use super::variants::Variants;

/// Steps of one slice, which take a fraction of a millisecond.
const SLICE: usize = 300_000;

/// Steps that remain of a slice.
#[derive(Debug)]
pub(crate) struct Slice(usize);

impl Default for Slice {
    fn default() -> Self {
        Self(SLICE)
    }
}

impl Slice {
    pub(super) const fn spend(&mut self, steps: usize) {
        self.0 = self.0.saturating_sub(steps);
    }

    /// Spends the steps that the removal of an entry takes: its place in each table, and each of
    /// its responses and tags.
    pub(super) fn spend_entry(&mut self, uri: &str, variants: &Variants) {
        let items = 4 + 2 * variants.len() + variants.tags();
        self.spend(items * LOOK_UP + 2 * uri.len());
    }

    pub(super) const fn is_over(&self) -> bool {
        self.0 == 0
    }
}
