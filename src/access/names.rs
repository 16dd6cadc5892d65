//! Set of names, up to millions of them, each with the line of its rule.

use super::pattern::{NamePattern, NameReach};

/// Line number of a rule, as if all rules stood in one file. Counted from 1; 0 means none.
pub(super) type LineNumber = u32;

/// Names, and domains with the names below them.
///
/// A look-up tries every suffix of a name, with hashes from a single pass that starts at its end.
/// The names come from the operator, so no client can make them collide; the name that a client
/// requests can at most walk the longest run of occupied slots that they form.
#[derive(Clone, Default)]
pub(super) struct NameSet {
    /// Text of all names, concatenated.
    text: String,
    entries: Vec<Entry>,
    /// Hash table with open addressing; its size is a power of two.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: u32,
    length: u8,
    /// First line that matches the name itself.
    itself: LineNumber,
    /// First line that matches the names below it.
    below: LineNumber,
}

/// Slot of the hash table: an entry's index, with a part of its hash that tells most other names
/// apart without comparing text.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    /// Index of the entry, counted from 1; 0 means none.
    entry: u32,
}

/// Matching name of the set, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) reach: NameReach,
    pub(super) line: LineNumber,
}

impl NameSet {
    /// Adds a name and returns the index of its entry. Of equal names, the first line counts.
    /// Returns `None` if the set is full: it holds 4 GiB of text.
    pub(super) fn add(&mut self, pattern: &NamePattern, line: LineNumber) -> Option<u32> {
        let hash = hash(pattern.name());
        let place = match self.place(pattern.name(), hash) {
            Ok(entry) => entry,
            Err(_) => {
                self.grow();
                let entry = self.push(pattern.name())?;
                let free = self.free(hash);
                self.slots[free] = Slot { hash: short(hash), entry: entry + 1 };
                entry as usize
            }
        };
        let entry = &mut self.entries[place];
        if pattern.reach() != NameReach::Below && entry.itself == 0 {
            entry.itself = line;
        }
        if pattern.reach() != NameReach::Itself && entry.below == 0 {
            entry.below = line;
        }
        u32::try_from(place).ok()
    }

    fn push(&mut self, name: &str) -> Option<u32> {
        let at = u32::try_from(self.text.len()).ok()?;
        // The text reaches its bound long before the index of an entry overflows.
        let entry = u32::try_from(self.entries.len()).ok()?;
        let length = u8::try_from(name.len()).ok()?;
        self.text.push_str(name);
        self.entries.push(Entry { at, length, itself: 0, below: 0 });
        Some(entry)
    }

    /// Makes room for one more name; the table stays at most half full.
    fn grow(&mut self) {
        if self.entries.len() * 2 >= self.slots.len() {
            self.slots = vec![Slot::default(); (self.slots.len() * 2).max(16)];
            for (place, entry) in (0..self.entries.len()).zip(1..) {
                let hash = hash(self.name(place));
                let free = self.free(hash);
                self.slots[free] = Slot { hash: short(hash), entry };
            }
        }
    }

    /// Returns the name of an entry.
    pub(super) fn name(&self, entry: usize) -> &str {
        let Entry { at, length, .. } = self.entries[entry];
        &self.text[at as usize..at as usize + usize::from(length)]
    }

    /// Returns the entry of a name, or the slot where the search ended.
    fn place(&self, name: &str, hash: u64) -> Result<usize, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        let mut at = self.first(hash);
        loop {
            let slot = self.slots[at];
            if slot.entry == 0 {
                return Err(at);
            }
            let entry = slot.entry as usize - 1;
            if slot.hash == short(hash) && self.name(entry) == name {
                return Ok(entry);
            }
            at = self.next(at);
        }
    }

    /// Returns a free slot for a hash.
    fn free(&self, hash: u64) -> usize {
        let mut at = self.first(hash);
        while self.slots[at].entry != 0 {
            at = self.next(at);
        }
        at
    }

    /// Returns the slot where the search for a hash begins.
    fn first(&self, hash: u64) -> usize {
        usize::try_from(hash & (self.slots.len() as u64 - 1)).unwrap_or(0)
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// Returns the entries of `name` (lower case, no trailing dot) and of the domains above it that
    /// are in the set. The bool is true if `name` is below the entry.
    pub(super) fn suffixes(&self, name: &str) -> impl Iterator<Item = (u32, bool)> {
        let bytes = if self.slots.is_empty() { &[] } else { name.as_bytes() };
        let mut state = EMPTY;
        (0..bytes.len()).rev().filter_map(move |at| {
            state = step(state, bytes[at]);
            if at > 0 && bytes[at - 1] != b'.' {
                return None;
            }
            let place = self.place(&name[at..], state).ok()?;
            Some((u32::try_from(place).ok()?, at > 0))
        })
    }

    /// Returns the entry that matches `name` (lower case, no trailing dot); of several, the one
    /// with the first line.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let found = self.suffixes(name).filter_map(|(place, is_below)| {
            let Entry { itself, below, .. } = self.entries[place as usize];
            let line = if is_below { below } else { itself };
            let reach = match itself == below {
                true => NameReach::Both,
                false if is_below => NameReach::Below,
                false => NameReach::Itself,
            };
            (line != 0).then(|| Found { name: self.name(place as usize), reach, line })
        });
        found.min_by_key(|found| found.line)
    }

    /// Returns the number of different names.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl std::fmt::Debug for NameSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameSet").field("names", &self.len()).finish_non_exhaustive()
    }
}

/// Initial state of FNV-1a, which hashes a name from its end to its beginning.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

const fn step(state: u64, byte: u8) -> u64 {
    (state ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

fn hash(name: &str) -> u64 {
    name.bytes().rev().fold(EMPTY, step)
}

/// Returns the part of a hash that does not choose the slot.
const fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(patterns: &[&str]) -> NameSet {
        let mut set = NameSet::default();
        for (pattern, line) in patterns.iter().zip(1..) {
            assert!(set.add(&pattern.parse().unwrap(), line).is_some());
        }
        set
    }

    fn line(set: &NameSet, name: &str) -> Option<LineNumber> {
        set.find(name).map(|found| found.line)
    }

    #[test]
    fn find_returns_the_first_matching_line() {
        let set = set(&["a.test", "*.a.test", ".b.test", "*.test", "c.b.test", "a.test"]);
        assert_eq!(line(&set, "a.test"), Some(1));
        assert_eq!(line(&set, "x.a.test"), Some(2));
        assert_eq!(line(&set, "b.test"), Some(3));
        assert_eq!(line(&set, "c.b.test"), Some(3));
        assert_eq!(line(&set, "d.test"), Some(4));
        assert_eq!(line(&set, "test"), None);
        assert_eq!(line(&set, "xa.test"), Some(4), "xa.test is not below a.test");
        assert_eq!(line(&set, "xa.tes"), None);
        assert_eq!(line(&set, ""), None);
        assert_eq!(NameSet::default().find("a.test"), None);
        assert_eq!(set.len(), 4, "equal names share one entry");
    }

    #[test]
    fn names_with_equal_slot_hashes_are_distinguished() {
        let (one, other) = ("host388883.test", "host861326.test");
        let set = set(&[one]);
        assert_eq!(short(hash(one)), short(hash(other)));
        assert_eq!(set.first(hash(one)), set.first(hash(other)));
        assert_eq!((line(&set, one), line(&set, other)), (Some(1), None));
    }

    #[test]
    fn look_up_passes_few_other_names() {
        let names: Vec<String> = (0..1_000).map(|number| format!("host{number}.test")).collect();
        let set = set(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let passed = |name: &String| {
            let place = set.place(name, hash(name)).unwrap();
            let mut at = set.first(hash(name));
            std::iter::from_fn(|| {
                let here = set.slots[at].entry as usize;
                at = set.next(at);
                (here != place + 1).then_some(())
            })
            .count()
        };
        assert!(names.iter().map(passed).sum::<usize>() < names.len());
    }

    proptest! {
        #[test]
        fn name_set_agrees_with_a_list_of_patterns(
            patterns in prop::collection::vec("(\\*\\.|\\.)?[ab](\\.[ab]){0,3}", 0..40),
            names in prop::collection::vec("[ab](\\.[ab]){0,4}", 20),
        ) {
            let texts: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let set = set(&texts);
            for name in names {
                let first = texts.iter().zip(1..).find(|(text, _)| {
                    text.parse::<NamePattern>().unwrap().matches(&name)
                });
                prop_assert_eq!(line(&set, &name), first.map(|(_, line)| line));
            }
        }
    }
}
