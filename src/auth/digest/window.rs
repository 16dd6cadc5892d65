//! Window of the counts used with a nonce.

/// Highest count used so far, and the used ones among those just below it.
///
/// Requests on parallel connections overtake each other, so a lower count may arrive later; but
/// each count is accepted only once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: u32,
    /// Bit `i` is set if `highest - i` was used.
    used: u64,
}

impl Window {
    /// Uses `count`. Returns true if it was not used before; a count below the window counts as
    /// used.
    pub(super) fn take(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest) {
            self.used = self.used.checked_shl(ahead).unwrap_or(0);
            self.highest = count;
        }
        let bit = 1u64.checked_shl(self.highest - count).unwrap_or(0);
        let is_new = bit != 0 && count > 0 && self.used & bit == 0;
        self.used |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_count_is_accepted_once() {
        let mut window = Window::default();
        assert!(!window.take(0));
        assert!(window.take(1) && !window.take(1));
        assert!(window.take(5) && window.take(3) && window.take(2) && window.take(4));
        assert!(!window.take(3) && !window.take(5));
    }

    #[test]
    fn counts_below_the_window_are_rejected() {
        let mut window = Window::default();
        assert!(window.take(100));
        assert!(window.take(37), "63 below");
        assert!(!window.take(36), "64 below");
        assert!(window.take(u32::MAX));
        assert!(!window.take(100) && window.take(u32::MAX - 1));
    }

    proptest! {
        #[test]
        fn window_agrees_with_a_set(counts in proptest::collection::vec(0u32..200, 0..300)) {
            let (mut window, mut used) = (Window::default(), BTreeSet::new());
            for count in counts {
                let highest = used.last().copied().unwrap_or(0);
                let expected = count > 0 && count + 64 > highest && used.insert(count);
                prop_assert_eq!(window.take(count), expected);
            }
        }
    }
}
