//! Set of names that match while they have certain addresses, each with the line of its rule.

use std::collections::HashMap;
use std::net::IpAddr;

use super::names::{Found, LineNumber, NameSet};
use super::net::Cidr;
use super::pattern::{NamePattern, NameReach};

/// Names, each with address ranges. A look-up costs one probe for each suffix of the name that is
/// in the set and each prefix length, however many names and ranges there are.
#[derive(Clone, Debug, Default)]
pub(super) struct NameInRangeSet {
    names: NameSet,
    /// Line, by the name's entry, by whether it matches the names below, and by range.
    lines: HashMap<(u32, bool, Cidr), LineNumber>,
    prefixes: Vec<u8>,
    count: usize,
}

/// Matching name with its range, as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundInRange<'a> {
    pub(super) name: &'a str,
    pub(super) reach: NameReach,
    /// Range that contains the address; `None` while the address is unknown.
    pub(super) range: Option<Cidr>,
    pub(super) line: LineNumber,
}

impl NameInRangeSet {
    /// Adds a name with a range. Of equal pairs, the first line counts. Returns false if the set of
    /// names is full.
    pub(super) fn add(&mut self, pattern: &NamePattern, range: Cidr, line: LineNumber) -> bool {
        let Some(name) = self.names.add(pattern, line) else { return false };
        let reaches = [(NameReach::Below, false), (NameReach::Itself, true)];
        let meant = reaches.into_iter().filter(|(other, _)| pattern.reach() != *other);
        let mut is_new = false;
        for (_, below) in meant {
            self.lines.entry((name, below, range)).or_insert_with(|| {
                is_new = true;
                line
            });
        }
        self.count += usize::from(is_new);
        if !self.prefixes.contains(&range.prefix()) {
            self.prefixes.push(range.prefix());
        }
        true
    }

    /// Returns the name that may match, depending on its addresses; of several, the one with the
    /// first line.
    pub(super) fn may_find(&self, name: &str) -> Option<FoundInRange<'_>> {
        let Found { name, reach, line } = self.names.find(name)?;
        Some(FoundInRange { name, reach, range: None, line })
    }

    /// Returns the entry that matches `name` with one of `addresses`; of several, the one with the
    /// first line.
    pub(super) fn find(&self, name: &str, addresses: &[IpAddr]) -> Option<FoundInRange<'_>> {
        let suffixes = self.names.suffixes(name);
        let found = suffixes.flat_map(|(place, below)| {
            let ranges = addresses.iter().flat_map(|&address| self.around(address));
            ranges.filter_map(move |range| {
                let line = *self.lines.get(&(place, below, range))?;
                let both = self.lines.get(&(place, !below, range)) == Some(&line);
                let reach = match (both, below) {
                    (true, _) => NameReach::Both,
                    (false, true) => NameReach::Below,
                    (false, false) => NameReach::Itself,
                };
                let name = self.names.name(place as usize);
                Some(FoundInRange { name, reach, range: Some(range), line })
            })
        });
        found.min_by_key(|found| found.line)
    }

    fn around(&self, address: IpAddr) -> impl Iterator<Item = Cidr> {
        self.prefixes.iter().filter_map(move |&prefix| Cidr::around(address, prefix))
    }

    /// Returns the number of different pairs.
    pub(super) const fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn set_agrees_with_a_list_of_pairs(
            list in prop::collection::vec(
                ("(\\*\\.|\\.)?[ab](\\.[ab]){0,2}", "10\\.[01]\\.0\\.0/(16|24)|10\\.0\\.0\\.0/8"),
                0..20,
            ),
            asked in prop::collection::vec(("[ab](\\.[ab]){0,3}", "10\\.[012]\\.[01]\\.1"), 20),
        ) {
            let list: Vec<(NamePattern, Cidr)> =
                list.iter().map(|(name, range)| (name.parse().unwrap(), range.parse().unwrap())).collect();
            let mut set = NameInRangeSet::default();
            for ((name, range), line) in list.iter().zip(1..) {
                prop_assert!(set.add(name, *range, line));
            }
            for (name, address) in asked {
                let address = address.parse().unwrap();
                let meant = |(pattern, range): &&(NamePattern, Cidr)| {
                    pattern.matches(&name) && range.contains(address)
                };
                let first = list.iter().position(|entry| meant(&entry));
                let found = set.find(&name, &[address]);
                prop_assert_eq!(found.map(|found| found.line as usize), first.map(|at| at + 1));
                if let (Some(found), Some(at)) = (found, first) {
                    let written = (found.name, found.reach, found.range);
                    prop_assert_eq!(written.0, list[at].0.name());
                    prop_assert_eq!(written.2, Some(list[at].1));
                }
                let may = list.iter().position(|(pattern, _)| pattern.matches(&name));
                prop_assert_eq!(set.may_find(&name).map(|found| found.line as usize), may.map(|at| at + 1));
            }
        }
    }
}
