//! Bounded number of places, shared between clients so that no client takes them all.
//!
//! The rule is a dynamic threshold (Choudhury and Hahne, 1998): a client may take another place
//! while it holds fewer than are free. It follows, for `n` places:
//!
//! * No client ever holds more than half of `n`, rounded up.
//! * Any `k` clients together leave at least `n / 2ᵏ` places (rounded down) to other clients, in
//!   whatever order places are taken and released.
//! * A client that holds nothing is refused only if no place is free at all.
//! * A client that holds more than are free gets no other until enough are released. So if several
//!   clients want more than there is, all end up with equal shares, and one share of the places stays free.
//!
//! Places may also be taken for no particular client. They count, and are refused only if no place
//! is free.

use std::collections::BTreeMap;

use crate::work::{LOOK_UP, count};

/// Number of places that each client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares<K> {
    held: BTreeMap<K, usize>,
    total: usize,
}

/// Returns true if a client that holds `held` places may take one of those that are `free`.
#[must_use]
pub const fn may_take(held: usize, free: usize) -> bool {
    held < free
}

impl<K: Ord> Shares<K> {
    /// Returns shares of which no place is taken.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: BTreeMap::new(), total: 0 }
    }

    /// Takes one of `places` for `client`, or for no particular client. Returns false if all are
    /// taken, or if the client holds as many as are free.
    pub fn take(&mut self, client: Option<K>, places: usize) -> bool {
        count(LOOK_UP);
        let held = client.as_ref().map_or(0, |client| self.held(client));
        let takes = may_take(held, places.saturating_sub(self.total));
        if takes {
            self.add(client);
        }
        takes
    }

    /// Counts a place that `client` takes, even beyond its share.
    pub fn add(&mut self, client: Option<K>) {
        if let Some(client) = client {
            *self.held.entry(client).or_default() += 1;
        }
        self.total += 1;
    }

    /// Releases a place that was taken for `client`.
    ///
    /// # Panics
    /// If `client` holds no place.
    pub fn release(&mut self, client: Option<&K>) {
        count(LOOK_UP);
        if let Some(client) = client {
            let held = self.held.get_mut(client).expect("the client holds a place");
            *held -= 1;
            if *held == 0 {
                self.held.remove(client);
            }
        }
        self.total = self.total.checked_sub(1).expect("a place is taken");
    }

    /// Returns the number of places that `client` holds.
    #[must_use]
    pub fn held(&self, client: &K) -> usize {
        self.held.get(client).copied().unwrap_or(0)
    }

    /// Returns the number of places that are taken.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }
}

impl<K: Ord> Default for Shares<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Number of clients in the property tests.
    const CLIENTS: u8 = 6;

    /// Takes places for `client` until one is refused, and returns their number.
    fn take_all(shares: &mut Shares<u8>, client: u8, places: usize) -> usize {
        (0..).take_while(|_| shares.take(Some(client), places)).count()
    }

    #[test]
    fn each_client_gets_half_of_the_free_places() {
        let mut shares = Shares::new();
        let taken: Vec<usize> = (0..10).map(|client| take_all(&mut shares, client, 256)).collect();
        assert_eq!(taken, [128, 64, 32, 16, 8, 4, 2, 1, 1, 0]);
        assert_eq!(shares.total(), 256);
        shares.release(Some(&0));
        assert!(!shares.take(Some(0), 256), "client 0 holds 127, and one is free");
        assert!(shares.take(Some(10), 256), "a new client gets the free place");
    }

    #[test]
    fn single_place_serves_one_client_at_a_time() {
        let mut shares = Shares::new();
        assert!(shares.take(Some('a'), 1));
        assert!(!shares.take(Some('b'), 1));
        shares.release(Some(&'a'));
        assert!(shares.take(Some('b'), 1));
        assert!(!Shares::<char>::new().take(None, 0));
    }

    #[test]
    fn places_without_client_are_bounded_by_total_only() {
        let mut shares = Shares::<u8>::new();
        assert!((0..8).all(|_| shares.take(None, 8)));
        assert!(!shares.take(None, 8) && !shares.take(Some(1), 8));
        (0..8).for_each(|_| shares.release(None));
        assert_eq!(take_all(&mut shares, 1, 8), 4);
    }

    #[test]
    fn greedy_clients_end_up_with_equal_shares() {
        let (mut shares, places) = (Shares::new(), 100);
        take_all(&mut shares, 0, places);
        for turn in (0..4).cycle().take(1000) {
            if shares.held(&turn) > 0 {
                shares.release(Some(&turn));
            }
            for client in 1..=4 {
                shares.take(Some((turn + client) % 4), places);
            }
        }
        let held: Vec<usize> = (0..4).map(|client| shares.held(&client)).collect();
        assert!(held.iter().all(|&held| held.abs_diff(places / 5) <= 1), "{held:?}");
    }

    #[test]
    #[should_panic(expected = "the client holds a place")]
    fn release_of_an_untaken_place_panics() {
        Shares::new().release(Some(&1));
    }

    proptest! {
        /// For any sequence of takes and releases, the counts agree with a list, and no set of
        /// clients takes what the rule leaves to others.
        #[test]
        fn any_set_of_clients_leaves_its_share_to_others(
            places in 0usize..40,
            steps in vec((any::<bool>(), proptest::option::weighted(0.9, 0..CLIENTS)), 0..200),
        ) {
            let mut shares = Shares::new();
            let mut taken: Vec<Option<u8>> = Vec::new();
            for (takes, client) in steps {
                if takes {
                    let held = taken.iter().filter(|&&of| of == client).count();
                    let held = if client.is_some() { held } else { 0 };
                    let free = places - taken.len();
                    let took = shares.take(client, places);
                    prop_assert_eq!(took, held < free);
                    taken.extend(took.then_some(client));
                } else if let Some(at) = taken.iter().position(|&of| of == client) {
                    taken.remove(at);
                    shares.release(client.as_ref());
                }
                prop_assert_eq!(shares.total(), taken.len());
                prop_assert!(shares.total() <= places);
                for set in 0u32..1 << CLIENTS {
                    let held: usize =
                        (0..CLIENTS).filter(|c| set >> c & 1 == 1).map(|c| shares.held(&c)).sum();
                    prop_assert!(places - held >= places >> set.count_ones(), "{:?}", shares);
                }
            }
        }
    }
}
