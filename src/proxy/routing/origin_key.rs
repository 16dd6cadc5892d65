//! Keys of origins, by which idle connections are found.

use std::sync::Arc;

/// An origin, as far as its connections are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OriginKey {
    /// Host and port, host in lower case.
    pub(crate) authority: Arc<str>,
}
