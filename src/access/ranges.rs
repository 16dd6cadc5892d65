//! Set of address ranges, each with the line of its rule.

use std::collections::HashMap;
use std::net::IpAddr;

use super::names::LineNumber;
use super::net::Cidr;

/// Ranges of addresses. A look-up costs one probe for each prefix length in the set.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    lines: HashMap<Cidr, LineNumber>,
    prefixes: Vec<u8>,
    first: Option<(Cidr, LineNumber)>,
}

impl RangeSet {
    /// Adds a range. Of equal ranges, the first line counts.
    pub(super) fn add(&mut self, range: Cidr, line: LineNumber) {
        self.lines.entry(range).or_insert(line);
        self.first.get_or_insert((range, line));
        if !self.prefixes.contains(&range.prefix()) {
            self.prefixes.push(range.prefix());
        }
    }

    /// Returns the range that contains `address`; of several, the one with the first line.
    pub(super) fn find(&self, address: IpAddr) -> Option<(Cidr, LineNumber)> {
        let ranges = self.prefixes.iter().filter_map(|&prefix| Cidr::around(address, prefix));
        let meant = ranges.filter_map(|range| Some((range, *self.lines.get(&range)?)));
        meant.min_by_key(|&(_, line)| line)
    }

    /// Returns the range that was added first.
    pub(super) const fn first(&self) -> Option<(Cidr, LineNumber)> {
        self.first
    }

    /// Returns the number of different ranges.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_returns_the_first_matching_line() {
        let mut set = RangeSet::default();
        for (range, line) in [
            "10.1.0.0/16",
            "10.0.0.0/8",
            "10.1.2.3",
            "2001:db8::/32",
            "::ffff:192.0.2.0/120",
            "10.0.0.0/8",
        ]
        .iter()
        .zip(1..)
        {
            set.add(range.parse().unwrap(), line);
        }
        let line = |address: &str| set.find(address.parse().unwrap()).map(|(_, line)| line);
        assert_eq!(line("10.1.2.3"), Some(1));
        assert_eq!(line("10.2.0.1"), Some(2));
        assert_eq!(line("::ffff:10.2.0.1"), Some(2), "mapped");
        assert_eq!(line("2001:db8:1::1"), Some(4));
        assert_eq!(line("192.0.2.77"), Some(5));
        assert_eq!(line("11.0.0.1"), None);
        assert_eq!(line("::1"), None);
        assert_eq!(set.len(), 5);
    }
}
