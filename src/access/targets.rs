//! Destinations of rules that differ in nothing else.

use std::fmt;
use std::net::IpAddr;

use super::names::{Found, LineNumber, NameSet};
use super::net::Cidr;
use super::ranges::RangeSet;
use super::rule::Destination;
use super::spelling::Host;
use super::within::{FoundInRange, NameInRangeSet};

/// Destinations, each with the line of its rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    any: Option<LineNumber>,
    names: NameSet,
    ranges: RangeSet,
    within: NameInRangeSet,
}

/// Matching destination; of several, the one with the first line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'a> {
    pub(super) line: LineNumber,
    what: Matched<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Matched<'a> {
    Any,
    Name(Found<'a>),
    Range(Cidr),
    Within(FoundInRange<'a>),
}

impl Targets {
    /// Adds a destination after all others. Returns false if the set of names is full.
    pub(super) fn add(&mut self, to: &Destination, line: LineNumber) -> bool {
        match to {
            Destination::Any => {
                self.any.get_or_insert(line);
            }
            Destination::Name(pattern) => return self.names.add(pattern, line).is_some(),
            Destination::Range(range) => self.ranges.add(*range, line),
            Destination::NameWithin(pattern, range) => {
                return self.within.add(pattern, *range, line);
            }
        }
        true
    }

    /// Returns the number of different destinations.
    pub(super) fn len(&self) -> usize {
        usize::from(self.any.is_some()) + self.names.len() + self.ranges.len() + self.within.len()
    }

    /// Returns the destination that matches a name whatever its addresses are.
    pub(super) fn find_name(&self, name: &str) -> Option<Fit<'_>> {
        let named = self.names.find(name);
        let named = named.map(|found| Fit { line: found.line, what: Matched::Name(found) });
        first([self.find_any(), named])
    }

    /// Returns the destination that may match a name, depending on its addresses.
    pub(super) fn may_find(&self, name: &str) -> Option<Fit<'_>> {
        let range =
            self.ranges.first().map(|(range, line)| Fit { line, what: Matched::Range(range) });
        first([range, self.within.may_find(name).map(Fit::within)])
    }

    /// Returns the destination that matches `host` with one of `facets`: an address of the host,
    /// and the addresses that it embeds.
    pub(super) fn find(&self, host: &Host, facets: &[IpAddr]) -> Option<Fit<'_>> {
        let (named, within) = match host.name() {
            Some(name) => (self.find_name(name), self.within.find(name, facets).map(Fit::within)),
            None => (self.find_any(), None),
        };
        let ranges = facets.iter().filter_map(|&facet| self.ranges.find(facet));
        let range = ranges.min_by_key(|&(_, line)| line);
        let range = range.map(|(range, line)| Fit { line, what: Matched::Range(range) });
        first([named, range, within])
    }

    fn find_any(&self) -> Option<Fit<'_>> {
        self.any.map(|line| Fit { line, what: Matched::Any })
    }
}

/// Returns the match with the first line.
pub(super) fn first<'a>(fits: impl IntoIterator<Item = Option<Fit<'a>>>) -> Option<Fit<'a>> {
    fits.into_iter().flatten().min_by_key(|fit| fit.line)
}

impl<'a> Fit<'a> {
    const fn within(found: FoundInRange<'a>) -> Self {
        Self { line: found.line, what: Matched::Within(found) }
    }

    /// Returns the range of addresses that the destination names.
    pub(super) const fn range(&self) -> Option<Cidr> {
        match self.what {
            Matched::Range(range) => Some(range),
            Matched::Within(found) => found.range,
            _ => None,
        }
    }
}

/// Writes the destination in the syntax of rules, with a space before it. `…` stands for a range
/// that is not known yet.
impl fmt::Display for Fit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Matched::Any => Ok(()),
            Matched::Name(Found { name, reach, .. }) => write!(f, " {}{name}", reach.prefix()),
            Matched::Range(range) => write!(f, " {range}"),
            Matched::Within(FoundInRange { name, reach, range, .. }) => {
                write!(f, " {}{name}=", reach.prefix())?;
                match range {
                    Some(range) => range.fmt(f),
                    None => f.write_str("…"),
                }
            }
        }
    }
}
