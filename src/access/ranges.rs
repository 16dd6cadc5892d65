//! A set of ranges of addresses, and which line each stands on.

use std::collections::HashMap;
use std::net::IpAddr;

use super::names::LineNumber;
use super::net::Cidr;

/// Ranges of addresses. An address is looked up once for each length of prefix that there is.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    lines: HashMap<Cidr, LineNumber>,
    prefixes: Vec<u8>,
    first: Option<(Cidr, LineNumber)>,
}

impl RangeSet {
    /// Adds a range; of those that are the same, the first counts.
    pub(super) fn add(&mut self, range: Cidr, line: LineNumber) {
        self.lines.entry(range).or_insert(line);
        self.first.get_or_insert((range, line));
        if !self.prefixes.contains(&range.prefix()) {
            self.prefixes.push(range.prefix());
        }
    }

    /// The range that means `address`: of several, the one that stands first.
    pub(super) fn find(&self, address: IpAddr) -> Option<(Cidr, LineNumber)> {
        let ranges = self.prefixes.iter().filter_map(|&prefix| Cidr::around(address, prefix));
        let meant = ranges.filter_map(|range| Some((range, *self.lines.get(&range)?)));
        meant.min_by_key(|&(_, line)| line)
    }

    /// What was added first.
    pub(super) const fn first(&self) -> Option<(Cidr, LineNumber)> {
        self.first
    }

    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_means_an_address_is_found() {
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
