//! Keys of origins, under which idle connections are kept.

use std::sync::Arc;

/// An origin. All connections with the same key are interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OriginKey {
    /// Host and port, the host in lower case.
    pub(crate) authority: Arc<str>,
}
