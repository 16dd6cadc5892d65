//! Fetches of one key that requests may join, grouped by the selecting fields of their responses.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::key::BuildPrehashed;
use crate::cache::policy::presented::Presented;
use crate::cache::policy::selecting::{Selecting, VaryNames};
use crate::work;

use super::offers::{Offers, Reach, Stage};

/// Maximum number of different lists of names in `Vary` under which the fetches of one key are
/// offered. A fetch with a further list is not offered.
const MAX_SHELVES: usize = 8;

/// Fetches by their selecting fields: one shelf for each list of names, on it one place for each
/// set of values.
#[derive(Debug, Default)]
pub(super) struct Shelves(Vec<Shelf>);

#[derive(Debug)]
struct Shelf {
    names: VaryNames,
    by_values: HashMap<u64, Place, BuildPrehashed>,
}

/// Fetches whose requests have the same values in the selecting fields.
#[derive(Debug)]
struct Place {
    by: Option<Arc<Selecting>>,
    offers: Offers,
}

fn names(by: Option<&Arc<Selecting>>) -> VaryNames {
    by.map(|by| by.names.clone()).unwrap_or_default()
}

fn hash(by: Option<&Arc<Selecting>>) -> u64 {
    by.map_or(0, |by| by.hash)
}

impl Shelves {
    /// Offers a fetch to requests with these selecting fields. Returns false if there are too many
    /// lists of names, or another set of values has the same hash.
    pub(super) fn add(
        &mut self,
        ticket: u64,
        by: Option<&Arc<Selecting>>,
        reach: Reach,
        stage: Stage,
    ) -> bool {
        work::count(2 * work::LOOK_UP);
        let names = names(by);
        let known = self.0.iter().position(|shelf| shelf.names == names);
        if known.is_none() && self.0.len() == MAX_SHELVES {
            return false;
        }
        let at = known.unwrap_or_else(|| {
            self.0.push(Shelf { names, by_values: HashMap::default() });
            self.0.len() - 1
        });
        let new = || Place { by: by.cloned(), offers: Offers::default() };
        let place = self.0[at].by_values.entry(hash(by)).or_insert_with(new);
        // Of two sets of values with the same hash, only the first is offered.
        let same = place.by.as_ref() == by;
        if same {
            place.offers.add(ticket, reach, stage);
        }
        same
    }

    /// Withdraws an offer.
    pub(super) fn remove(
        &mut self,
        ticket: u64,
        by: Option<&Arc<Selecting>>,
        reach: Reach,
        stage: Stage,
    ) {
        work::count(2 * work::LOOK_UP);
        let names = names(by);
        let Some(at) = self.0.iter().position(|shelf| shelf.names == names) else { return };
        let by_values = &mut self.0[at].by_values;
        let Some(place) = by_values.get_mut(&hash(by)) else { return };
        place.offers.remove(ticket, reach, stage);
        if place.offers.is_empty() {
            by_values.remove(&hash(by));
        }
        if by_values.is_empty() {
            self.0.swap_remove(at);
        }
    }

    /// Returns a fetch that `request` may join, at stage `from` or later, with its stage.
    pub(super) fn find(
        &self,
        request: &mut Presented,
        wanted: Reach,
        from: Stage,
    ) -> Option<(u64, Stage)> {
        self.0.iter().find_map(|shelf| {
            work::count(work::LOOK_UP);
            let by = request.selecting(&shelf.names);
            let place = shelf.by_values.get(&hash(by))?;
            if place.by.as_ref() == by { place.offers.find(wanted, from) } else { None }
        })
    }

    /// Panics if an offer is at another place than `expected` gives for its ticket.
    pub(super) fn check(
        &self,
        expected: impl Fn(u64) -> (Option<Arc<Selecting>>, Option<Reach>, Stage),
    ) {
        assert!(self.0.len() <= MAX_SHELVES, "lists of names are bounded");
        for shelf in &self.0 {
            assert!(!shelf.by_values.is_empty(), "no shelf is empty");
            for (number, place) in &shelf.by_values {
                assert_eq!(hash(place.by.as_ref()), *number);
                assert_eq!(names(place.by.as_ref()), shelf.names);
                for (ticket, reach, stage) in place.offers.iter() {
                    let (by, its_reach, its_stage) = expected(ticket);
                    assert_eq!((by.as_ref(), its_reach), (place.by.as_ref(), Some(reach)));
                    assert_eq!(its_stage, stage);
                }
            }
        }
    }
}
