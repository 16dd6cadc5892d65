//! Fetches that requests with the same selecting fields may join, found by the requested range.

use std::collections::BTreeMap;

use crate::http::range::{self, ByteRange};
use crate::http::{Fields, Name};
use crate::work;

/// Bytes of content that a request asks for, as far as they are known without the length of the
/// content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The whole content; also for a request whose `Range` is ignored.
    Whole,
    /// A range from its first byte to its last, both included. The last is `u64::MAX` if the
    /// request names none.
    From(u64, u64),
    /// This many bytes at the end.
    Suffix(u64),
}

impl Reach {
    /// Returns the content that a request needs. For several ranges, that is the whole content.
    pub(super) fn needed(request: &Fields) -> Self {
        Self::brought(request).unwrap_or(Self::Whole)
    }

    /// Returns the content that the response to a request certainly carries. `None` if origins may
    /// answer its `Range` in different ways.
    pub(super) fn brought(request: &Fields) -> Option<Self> {
        if !request.has(Name::Range) {
            return Some(Self::Whole);
        }
        match range::parse(request)?[..] {
            [ByteRange::From(first, last)] => Some(Self::From(first, last.unwrap_or(u64::MAX))),
            [ByteRange::Suffix(length)] => Some(Self::Suffix(length)),
            _ => None,
        }
    }
}

/// Progress of a fetch, as far as it decides which requests may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The request was sent: the origin may have chosen its response already.
    Sent,
    /// The request has not been sent.
    Waiting,
    /// The request has not been sent, and demands the origin's own answer (`no-cache`).
    WaitingForOrigin,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Sent, Self::Waiting, Self::WaitingForOrigin];
}

/// Position of an offer in the order. Offers of the same stage and kind are adjacent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    stage: Stage,
    kind: Kind,
    /// First byte of a range, or length of a suffix.
    at: u64,
    ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Whole,
    From,
    Suffix,
}

/// Offered fetches, by their tickets. No range fetch lies within another one of its
/// stage, so a single look-up decides for any requested range.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// Offers in order, each with the last byte of its range.
    places: BTreeMap<Place, u64>,
}

impl Offers {
    /// Offers a fetch, unless another fetch of its stage already serves every request that could
    /// join it.
    pub(super) fn add(&mut self, ticket: u64, reach: Reach, stage: Stage) {
        work::count(work::LOOK_UP);
        let place = Place::of(ticket, reach, stage);
        match reach {
            Reach::Whole | Reach::Suffix(_) => {
                self.places.insert(place, u64::MAX);
            }
            Reach::From(first, last) => {
                if self.covering(stage, first, last).is_none() {
                    self.remove_within(stage, first, last);
                    self.places.insert(place, last);
                }
            }
        }
    }

    /// Withdraws an offer.
    pub(super) fn remove(&mut self, ticket: u64, reach: Reach, stage: Stage) {
        work::count(work::LOOK_UP);
        self.places.remove(&Place::of(ticket, reach, stage));
    }

    /// Returns the first fetch, in the order of stages from `from` on, that carries the `wanted`
    /// content.
    pub(super) fn find(&self, wanted: Reach, from: Stage) -> Option<(u64, Stage)> {
        Stage::ALL.into_iter().filter(|stage| *stage >= from).find_map(|stage| {
            work::count(2 * work::LOOK_UP);
            let part = match wanted {
                Reach::Whole => None,
                Reach::From(first, last) => self.covering(stage, first, last),
                Reach::Suffix(length) => {
                    let from = Place { stage, kind: Kind::Suffix, at: length, ticket: 0 };
                    self.next(from)
                }
            };
            let whole = || self.next(Place { stage, kind: Kind::Whole, at: 0, ticket: 0 });
            part.or_else(whole).map(|ticket| (ticket, stage))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns all offers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Reach, Stage)> {
        self.places.iter().map(|(place, &last)| {
            let reach = match place.kind {
                Kind::Whole => Reach::Whole,
                Kind::From => Reach::From(place.at, last),
                Kind::Suffix => Reach::Suffix(place.at),
            };
            (place.ticket, reach, place.stage)
        })
    }

    /// Returns the first offer at or after `from` that has the same stage and kind.
    fn next(&self, from: Place) -> Option<u64> {
        let (place, _) = self.places.range(from..).next()?;
        (place.stage == from.stage && place.kind == from.kind).then_some(place.ticket)
    }

    /// Returns the range fetch that covers a range. Because no range lies within another, of all
    /// that begin at or before `first` the last one also ends last.
    fn covering(&self, stage: Stage, first: u64, last: u64) -> Option<u64> {
        let to = Place { stage, kind: Kind::From, at: first, ticket: u64::MAX };
        let (place, end) = self.places.range(..=to).next_back()?;
        (place.stage == stage && place.kind == Kind::From && *end >= last).then_some(place.ticket)
    }

    fn remove_within(&mut self, stage: Stage, first: u64, last: u64) {
        let from = Place { stage, kind: Kind::From, at: first, ticket: 0 };
        while let Some((&place, &end)) = self.places.range(from..).next()
            && place.stage == stage
            && place.kind == Kind::From
            && end <= last
        {
            work::count(work::LOOK_UP);
            self.places.remove(&place);
        }
    }
}

impl Place {
    const fn of(ticket: u64, reach: Reach, stage: Stage) -> Self {
        let (kind, at) = match reach {
            Reach::Whole => (Kind::Whole, 0),
            Reach::From(first, _) => (Kind::From, first),
            Reach::Suffix(length) => (Kind::Suffix, length),
        };
        Self { stage, kind, at, ticket }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reach() -> impl Strategy<Value = Reach> {
        prop_oneof![
            1 => Just(Reach::Whole),
            4 => (0..20u64, 0..20u64).prop_map(|(a, b)| Reach::From(a.min(b), a.max(b))),
            1 => (0..20u64).prop_map(|first| Reach::From(first, u64::MAX)),
            2 => (1..20u64).prop_map(Reach::Suffix),
        ]
    }

    fn stage() -> impl Strategy<Value = Stage> {
        prop::sample::select(&Stage::ALL[..])
    }

    fn brings(offered: Reach, wanted: Reach) -> bool {
        match (offered, wanted) {
            (Reach::Whole, _) => true,
            (Reach::From(from, to), Reach::From(first, last)) => from <= first && last <= to,
            (Reach::Suffix(of), Reach::Suffix(length)) => length <= of,
            _ => false,
        }
    }

    /// Offers in a list: the model.
    #[derive(Default)]
    struct Naive(Vec<(u64, Reach, Stage)>);

    impl Naive {
        fn add(&mut self, ticket: u64, reach: Reach, stage: Stage) {
            if let Reach::From(..) = reach {
                let rivals = |other: &(u64, Reach, Stage)| {
                    other.2 == stage && matches!(other.1, Reach::From(..))
                };
                if self.0.iter().filter(|o| rivals(o)).any(|other| brings(other.1, reach)) {
                    return;
                }
                self.0.retain(|other| !rivals(other) || !brings(reach, other.1));
            }
            self.0.push((ticket, reach, stage));
        }
    }

    proptest! {
        #[test]
        fn offers_match_a_list(
            steps in prop::collection::vec((any::<bool>(), reach(), stage(), any::<usize>()), 1..60),
        ) {
            let (mut offers, mut naive) = (Offers::default(), Naive::default());
            let mut added = Vec::new();
            for (ticket, (adds, reach, stage, which)) in (0u64..).zip(steps) {
                if adds {
                    offers.add(ticket, reach, stage);
                    naive.add(ticket, reach, stage);
                    added.push((ticket, reach, stage));
                } else if !added.is_empty() {
                    let (ticket, reach, stage) = added.swap_remove(which % added.len());
                    offers.remove(ticket, reach, stage);
                    naive.0.retain(|other| other.0 != ticket);
                }
                let mut found: Vec<_> = offers.iter().collect();
                found.sort_unstable_by_key(|(ticket, ..)| *ticket);
                prop_assert_eq!(&found, &naive.0);
                for from in Stage::ALL {
                    let fits = |offer: &&(u64, Reach, Stage)| {
                        offer.2 >= from && brings(offer.1, reach)
                    };
                    let found = offers.find(reach, from);
                    prop_assert_eq!(found.is_some(), naive.0.iter().any(|o| fits(&o)));
                    if let Some((ticket, stage)) = found {
                        let offer = naive.0.iter().find(|offer| offer.0 == ticket).unwrap();
                        prop_assert!(fits(&offer) && offer.2 == stage);
                    }
                }
            }
        }
    }
}
