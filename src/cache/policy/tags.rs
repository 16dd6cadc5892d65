//! Names by which responses are purged together: groups within an origin (`Cache-Groups`, RFC
//! 9875), and tags (`Surrogate-Key`, `Cache-Tag`).

use std::sync::Arc;

use sfv::{BareItem, Item, List, ListEntry, Parser};

use crate::alloc_size::rounded_up;
use crate::http::Fields;
use crate::work;

/// Maximum number of tags of a stored response, of all kinds together.
pub(crate) const MAX_TAGS: usize = 1024;
/// Maximum length of a tag, in bytes.
const MAX_LENGTH: usize = 1024;
/// Bytes that one tag of one entry takes in the index.
const PLACE: usize = 104;

/// A name that responses share. Tags are compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    kind: TagKind,
    name: Arc<[u8]>,
}

/// Scope of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TagKind {
    /// The responses of one origin.
    Group,
    /// All responses.
    Key,
}

impl Tag {
    /// Creates a tag.
    #[must_use]
    pub fn new(kind: TagKind, name: &[u8]) -> Self {
        work::count(work::LOOK_UP + name.len());
        Self { kind, name: name.into() }
    }
}

/// Tags of one response, sorted and without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Box<[Tag]>);

impl Tags {
    /// Returns the tags that the fields of a response name. `None` if there are too many, or one is
    /// too long: a response that not all of its tags can find must not be stored.
    #[must_use]
    pub fn of(fields: &Fields) -> Option<Self> {
        let mut tags = Vec::new();
        for field in fields.iter() {
            let separator = match field.name.len() {
                13 if field.is_named(b"Surrogate-Key") => b' ',
                9 if field.is_named(b"Cache-Tag") => b',',
                _ => continue,
            };
            work::count(field.value.len());
            let names = field.value.split(|&byte| byte == separator || byte == b'\t');
            let names = names.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
            let left = (MAX_TAGS + 1).saturating_sub(tags.len());
            tags.extend(names.take(left).map(|name| Tag::new(TagKind::Key, name)));
        }
        tags.extend(groups(fields, b"Cache-Groups", MAX_TAGS + 1));
        work::count(tags.len() * work::LOOK_UP);
        tags.sort_unstable();
        tags.dedup();
        let bounded = tags.len() <= MAX_TAGS && tags.iter().all(|tag| tag.name.len() <= MAX_LENGTH);
        bounded.then(|| Self(tags.into()))
    }

    /// Returns the tags in order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    /// Returns the number of tags.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if `tag` is in the set.
    #[must_use]
    pub fn has(&self, tag: &Tag) -> bool {
        self.0.binary_search(tag).is_ok()
    }

    /// Returns the bytes that the tags take on the heap, with their places in the index.
    #[must_use]
    pub fn weight(&self) -> usize {
        let each = |tag: &Tag| rounded_up(tag.name.len() + 2 * size_of::<usize>()) + PLACE;
        rounded_up(self.0.len() * size_of::<Tag>()) + self.0.iter().map(each).sum::<usize>()
    }
}

/// Returns the groups that a successful unsafe request invalidates (RFC 9875 §3). At most as many
/// count as a response may have tags.
#[must_use]
pub fn invalidated_groups(fields: &Fields) -> Vec<Tag> {
    groups(fields, b"Cache-Group-Invalidation", MAX_TAGS)
}

/// Returns up to `most` members of a list of strings, from all lines of that name. A list that is
/// malformed, or has a member of another type, counts as empty.
fn groups(fields: &Fields, name: &[u8], most: usize) -> Vec<Tag> {
    let lines: Vec<&[u8]> = fields.all_named(name).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let list: Option<List> = Parser::new(&lines.join(&b", "[..])).parse().ok();
    let Some(list) = list.filter(|list| list.iter().all(|entry| group(entry).is_some())) else {
        return Vec::new();
    };
    work::count(list.len() * work::LOOK_UP);
    let names = list.iter().filter_map(group).take(most);
    names.map(|name| Tag::new(TagKind::Group, name)).collect()
}

fn group(entry: &ListEntry) -> Option<&[u8]> {
    match entry {
        ListEntry::Item(Item { bare_item: BareItem::String(name), .. }) => {
            Some(name.as_str().as_bytes())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    fn tags(lines: &[(&str, &str)]) -> Tags {
        Tags::of(&fields(lines)).unwrap()
    }

    #[test]
    fn each_field_has_its_own_separator() {
        let tags = tags(&[
            ("surrogate-key", "a b,c  a"),
            ("Cache-Tag", "d, e f,,"),
            ("Cache-Groups", r#""g", "h \"i\"";x=1"#),
            ("Cache-Groups", r#""k""#),
        ]);
        for key in ["a", "b,c", "d", "e f"] {
            assert!(tags.has(&Tag::new(TagKind::Key, key.as_bytes())), "{key}");
        }
        for group in ["g", "h \"i\"", "k"] {
            assert!(tags.has(&Tag::new(TagKind::Group, group.as_bytes())), "{group}");
        }
        assert_eq!((tags.iter().count(), tags.len()), (7, 7));
        assert!(!tags.has(&Tag::new(TagKind::Key, b"A")), "case matters");
        assert!(!tags.has(&Tag::new(TagKind::Group, b"a")), "kinds are distinct");
    }

    #[test]
    fn malformed_list_of_groups_is_ignored_and_a_long_one_is_cut() {
        for value in ["a", "\"a\", b", "\"a\",", "(\"a\")", "\"a\", 1", "\"a", "'a'", "\"\u{e4}\""]
        {
            assert_eq!(tags(&[("Cache-Groups", value)]), Tags::default(), "{value}");
            assert!(invalidated_groups(&fields(&[("Cache-Group-Invalidation", value)])).is_empty());
        }
        let many = (0..2 * MAX_TAGS).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
        let invalidated = invalidated_groups(&fields(&[("Cache-Group-Invalidation", &many)]));
        assert_eq!(invalidated.len(), MAX_TAGS);
        let lines = [("Cache-Groups", "\"a\""), ("Cache-Groups", "b")];
        assert_eq!(tags(&lines), Tags::default(), "the lines are one list");
    }

    #[test]
    fn number_and_length_of_tags_are_bounded() {
        let many = |count: usize| (0..count).map(|n| format!("t{n} ")).collect::<String>();
        assert!(Tags::of(&fields(&[("Surrogate-Key", &many(MAX_TAGS))])).is_some());
        assert!(Tags::of(&fields(&[("Surrogate-Key", &many(MAX_TAGS + 1))])).is_none());
        assert!(Tags::of(&fields(&[("Cache-Tag", &"x".repeat(MAX_LENGTH))])).is_some());
        assert!(Tags::of(&fields(&[("Cache-Tag", &"x".repeat(MAX_LENGTH + 1))])).is_none());
        let long = tags(&[("Cache-Tag", &"x".repeat(MAX_LENGTH))]).weight();
        assert!(long > MAX_LENGTH && long > tags(&[("Cache-Tag", "x")]).weight());
        assert!(long < 2 * MAX_LENGTH);
        let list = |count| (0..count).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
        let most = tags(&[("Cache-Groups", &list(MAX_TAGS))]);
        assert!(most.has(&Tag::new(TagKind::Group, (MAX_TAGS - 1).to_string().as_bytes())));
        assert!(Tags::of(&fields(&[("Cache-Groups", &list(MAX_TAGS + 1))])).is_none());
    }
}
