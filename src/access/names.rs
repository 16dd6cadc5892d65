//! A set of names, up to millions of them, and which line each stands on.

use super::pattern::{NamePattern, Reach};

/// The line on which something would stand if all rules stood in one file, counted from 1; 0 stands for
/// none.
pub(super) type LineNumber = u32;

/// Names, and domains with what is below them.
///
/// A name is looked up with each of its suffixes, whose hashes come from one pass from its end. The
/// names are the operator's, so nobody can make them collide; what clients ask for cannot make a look-up
/// longer than the names do.
#[derive(Clone, Default)]
pub(super) struct NameSet {
    /// All names, one behind the other.
    text: String,
    entries: Vec<Entry>,
    /// Open addressing, a power of two in size.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: u32,
    length: u8,
    /// The line that means the name itself.
    itself: LineNumber,
    /// The line that means what is below it.
    below: LineNumber,
}

/// An entry's place in the table, with a part of its hash, so that most others are told apart here.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    /// Counted from 1; 0 stands for none.
    entry: u32,
}

/// A name in the set, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) reach: Reach,
    pub(super) line: LineNumber,
}

impl NameSet {
    /// Adds a name, and says where it is; of those that are the same, the first counts. None if there is
    /// no room for it: the set holds 4 GiB.
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
        if pattern.reach() != Reach::Below && entry.itself == 0 {
            entry.itself = line;
        }
        if pattern.reach() != Reach::Itself && entry.below == 0 {
            entry.below = line;
        }
        u32::try_from(place).ok()
    }

    fn push(&mut self, name: &str) -> Option<u32> {
        let at = u32::try_from(self.text.len()).ok()?;
        // The text is full long before there are so many names that the next number is none.
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

    /// The name in a place.
    pub(super) fn name(&self, entry: usize) -> &str {
        let Entry { at, length, .. } = self.entries[entry];
        &self.text[at as usize..at as usize + usize::from(length)]
    }

    /// The entry of a name; if there is none, the slot where the search ended.
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

    /// A free slot for a hash.
    fn free(&self, hash: u64) -> usize {
        let mut at = self.first(hash);
        while self.slots[at].entry != 0 {
            at = self.next(at);
        }
        at
    }

    /// The slot where the search for a hash begins.
    fn first(&self, hash: u64) -> usize {
        usize::try_from(hash & (self.slots.len() as u64 - 1)).unwrap_or(0)
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// The places of `name`, in lower case and without a trailing dot, and of the domains above it, as
    /// far as they are here; whether it is below that.
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

    /// The entry that means `name`, in lower case and without a trailing dot: of several, the one that
    /// stands first.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let found = self.suffixes(name).filter_map(|(place, is_below)| {
            let Entry { itself, below, .. } = self.entries[place as usize];
            let line = if is_below { below } else { itself };
            let reach = match itself == below {
                true => Reach::Both,
                false if is_below => Reach::Below,
                false => Reach::Itself,
            };
            (line != 0).then(|| Found { name: self.name(place as usize), reach, line })
        });
        found.min_by_key(|found| found.line)
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl std::fmt::Debug for NameSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameSet").field("names", &self.len()).finish_non_exhaustive()
    }
}

/// FNV-1a, from a name's end to its beginning.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

const fn step(state: u64, byte: u8) -> u64 {
    (state ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

fn hash(name: &str) -> u64 {
    name.bytes().rev().fold(EMPTY, step)
}

/// The part of a hash that does not choose the slot.
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
    fn the_first_line_that_means_a_name_is_found() {
        let set = set(&["a.test", "*.a.test", ".b.test", "*.test", "c.b.test", "a.test"]);
        assert_eq!(line(&set, "a.test"), Some(1));
        assert_eq!(line(&set, "x.a.test"), Some(2));
        assert_eq!(line(&set, "b.test"), Some(3));
        assert_eq!(line(&set, "c.b.test"), Some(3));
        assert_eq!(line(&set, "d.test"), Some(4));
        assert_eq!(line(&set, "test"), None);
        assert_eq!(line(&set, "xa.test"), Some(4), "that is not below a.test");
        assert_eq!(line(&set, "xa.tes"), None);
        assert_eq!(line(&set, ""), None);
        assert_eq!(NameSet::default().find("a.test"), None);
        assert_eq!(set.len(), 4, "names that are the same take one place");
    }

    #[test]
    fn names_with_the_same_hash_in_a_slot_are_told_apart() {
        let (one, other) = ("host388883.test", "host861326.test");
        let set = set(&[one]);
        assert_eq!(short(hash(one)), short(hash(other)));
        assert_eq!(set.first(hash(one)), set.first(hash(other)));
        assert_eq!((line(&set, one), line(&set, other)), (Some(1), None));
    }

    #[test]
    fn a_look_up_passes_few_other_names() {
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
        fn a_set_finds_what_a_list_of_patterns_does(
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
