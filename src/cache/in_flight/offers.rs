//! Fetches that requests with the same selecting fields may join, found by the range that is asked for.

use std::collections::BTreeMap;

use crate::http::range::{self, ByteRange};
use crate::http::{Fields, Name};
use crate::work;

/// Bytes of content that a request asks for, as far as that is known without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of it; so does a request whose `Range` is ignored.
    Whole,
    /// From the first byte to the last; the last is `u64::MAX` where it is not named.
    From(u64, u64),
    /// So many bytes at the end.
    Suffix(u64),
}

impl Reach {
    /// The content that a request needs. Several ranges are cut from the whole only.
    pub(super) fn needed(request: &Fields) -> Self {
        Self::brought(request).unwrap_or(Self::Whole)
    }

    /// The content that the response to a request is sure to bring; `None` if its `Range` may be
    /// answered in different ways.
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

/// Progress of a fetch, as far as it decides who may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The origin may have chosen its response already.
    Sent,
    /// The request has not been sent.
    Waiting,
    /// The request has not been sent, and demands an answer of the origin itself.
    WaitingForOrigin,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Sent, Self::Waiting, Self::WaitingForOrigin];
}

/// Place of an offer: offers of the same stage and kind are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    stage: Stage,
    kind: Kind,
    /// The first byte, or the length of a suffix.
    at: u64,
    ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Whole,
    From,
    Suffix,
}

/// Fetches by their tickets. Of fetches for ranges, none lies within another: whatever a request asks
/// for, one look decides.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// With the last byte of a range.
    places: BTreeMap<Place, u64>,
}

impl Offers {
    /// Offers a fetch, unless another one of its stage does for all who could join it.
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

    /// Takes an offer back.
    pub(super) fn remove(&mut self, ticket: u64, reach: Reach, stage: Stage) {
        work::count(work::LOOK_UP);
        self.places.remove(&Place::of(ticket, reach, stage));
    }

    /// A fetch that brings what is `wanted`; of those of stage `from` and of later ones in their order,
    /// the first.
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

    /// All offers.
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

    /// The first at `from` or behind it, of the same stage and kind.
    fn next(&self, from: Place) -> Option<u64> {
        let (place, _) = self.places.range(from..).next()?;
        (place.stage == from.stage && place.kind == from.kind).then_some(place.ticket)
    }

    /// The fetch for a range that holds another one: of all that begin before, the last one ends last.
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

    /// Offers as a list.
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
        fn offers_are_found_as_in_a_list(
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
