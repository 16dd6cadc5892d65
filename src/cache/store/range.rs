//! Ranges of the index: URIs that begin alike.

use crate::cache::policy::tags::Tag;

/// Neighbours in the index.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    tag: Option<Tag>,
    prefix: String,
    /// Whether the prefix is the whole.
    exact: bool,
}

impl Range {
    /// All URIs that begin so.
    pub(crate) const fn below(prefix: String) -> Self {
        Self { tag: None, prefix, exact: false }
    }

    /// One URI, as the index has it.
    pub(super) const fn exactly(uri: String) -> Self {
        Self { tag: None, prefix: uri, exact: true }
    }

    /// URIs that begin so and have a response with a tag.
    pub(super) fn tagged(tag: Tag, prefix: &str) -> Self {
        Self { tag: Some(tag), prefix: prefix.to_owned(), exact: false }
    }

    pub(super) const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns true if the range has one URI at most.
    pub(super) const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Returns true if `uri` lies in the range.
    pub(crate) fn has(&self, uri: &str) -> bool {
        uri.starts_with(&self.prefix) && (!self.exact || uri == self.prefix)
    }
}
