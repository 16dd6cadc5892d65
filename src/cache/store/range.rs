//! Ranges of the index: URIs with a common prefix.

use crate::cache::policy::tags::Tag;

/// A range of the index. Its entries are adjacent.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    tag: Option<Tag>,
    prefix: String,
    /// True if the range has only the URI that equals the prefix.
    exact: bool,
}

impl Range {
    /// Creates a range of all URIs with this prefix.
    pub(crate) const fn below(prefix: String) -> Self {
        Self { tag: None, prefix, exact: false }
    }

    /// Creates a range of one URI.
    pub(super) const fn exactly(uri: String) -> Self {
        Self { tag: None, prefix: uri, exact: true }
    }

    /// Creates a range of the URIs with this prefix that have a response with this tag.
    pub(super) fn tagged(tag: Tag, prefix: &str) -> Self {
        Self { tag: Some(tag), prefix: prefix.to_owned(), exact: false }
    }

    pub(super) const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns true if the range has at most one URI.
    pub(super) const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Returns true if `uri` lies in the range, whatever its tags.
    pub(crate) fn has(&self, uri: &str) -> bool {
        uri.starts_with(&self.prefix) && (!self.exact || uri == self.prefix)
    }
}
