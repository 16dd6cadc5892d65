//! Keys of origins, by which idle connections are found.

use std::sync::Arc;

use crate::http::Scheme;

/// An origin (RFC 9110 §4.3.1), as far as its connections are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OriginKey {
    pub(crate) scheme: Scheme,
    /// Host in lower case, and the port unless it is the scheme's default port.
    pub(crate) authority: Arc<str>,
}
