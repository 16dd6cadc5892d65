//! The destinations of rules that differ in nothing else.

use std::fmt;
use std::net::IpAddr;

use super::names::{Found, Line, NameSet};
use super::net::Cidr;
use super::pattern::NamePattern;
use super::ranges::RangeSet;
use super::rule::Destination;
use super::spelling::Host;

/// Destinations, each with its line.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    any: Option<Line>,
    names: NameSet,
    ranges: RangeSet,
    within: Vec<(NamePattern, Cidr, Line)>,
    /// What was added first.
    first: Option<(Destination, Line)>,
}

/// The destination that fits: of several, the one that stands first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'a> {
    pub(super) line: Line,
    what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Any,
    Name(Found<'a>),
    Range(Cidr),
    Within(&'a NamePattern, Cidr),
    Written(&'a Destination),
}

impl Targets {
    /// Adds a destination. False if there is no room for it.
    pub(super) fn add(&mut self, to: &Destination, line: Line) -> bool {
        if self.first.is_none() {
            self.first = Some((to.clone(), line));
        }
        match to {
            Destination::Any => {
                self.any.get_or_insert(line);
            }
            Destination::Name(pattern) => return self.names.add(pattern, line),
            Destination::Range(range) => self.ranges.add(*range, line),
            Destination::NameWithin(pattern, range) => {
                self.within.push((pattern.clone(), *range, line));
            }
        }
        true
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        usize::from(self.any.is_some()) + self.names.len() + self.ranges.len() + self.within.len()
    }

    /// What was added first.
    pub(super) fn first(&self) -> Option<Fit<'_>> {
        self.first.as_ref().map(|(to, line)| Fit { line: *line, what: What::Written(to) })
    }

    /// What fits a name whatever its addresses are.
    pub(super) fn find_name(&self, name: &str) -> Option<Fit<'_>> {
        let any = self.any.map(|line| Fit { line, what: What::Any });
        let named = self.names.find(name);
        let named = named.map(|found| Fit { line: found.line, what: What::Name(found) });
        any.into_iter().chain(named).min_by_key(|fit| fit.line)
    }

    /// Whether something may fit an address that a name has.
    pub(super) fn may_fit_addresses(&self, name: &str) -> bool {
        !self.ranges.is_empty() || self.within.iter().any(|(pattern, ..)| pattern.matches(name))
    }

    /// What fits a host and one of the facets of an address that it has or is.
    pub(super) fn find(&self, host: &Host, facets: &[IpAddr]) -> Option<Fit<'_>> {
        let name = host.name();
        let named = match name {
            Some(name) => self.find_name(name),
            None => self.any.map(|line| Fit { line, what: What::Any }),
        };
        let ranges = facets.iter().filter_map(|&facet| self.ranges.find(facet));
        let range = ranges.map(|(range, line)| Fit { line, what: What::Range(range) });
        let within = self.within.iter().find(|(pattern, range, _)| {
            name.is_some_and(|name| pattern.matches(name))
                && facets.iter().any(|&facet| range.contains(facet))
        });
        let within = within
            .map(|(pattern, range, line)| Fit { line: *line, what: What::Within(pattern, *range) });
        named.into_iter().chain(range).chain(within).min_by_key(|fit| fit.line)
    }
}

impl Fit<'_> {
    /// The addresses that it names.
    pub(super) const fn range(&self) -> Option<Cidr> {
        match self.what {
            What::Range(range) | What::Within(_, range) => Some(range),
            _ => None,
        }
    }
}

/// As it is written, with a space before it.
impl fmt::Display for Fit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Any | What::Written(Destination::Any) => Ok(()),
            What::Name(Found { name, reach, .. }) => write!(f, " {}{name}", reach.prefix()),
            What::Range(range) => write!(f, " {range}"),
            What::Within(pattern, range) => write!(f, " {pattern}={range}"),
            What::Written(to) => write!(f, " {to}"),
        }
    }
}
