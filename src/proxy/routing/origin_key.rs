//! Keys of origins, by which idle connections are found.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::http::Scheme;
use crate::tls::Profile;

/// An origin (RFC 9110 §4.3.1), as far as its connections are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginKey {
    pub(crate) scheme: Scheme,
    /// How the origin is verified, if its connections use TLS.
    pub(crate) profile: Option<Profile>,
    /// Host in lower case, and the port unless it is the scheme's default port.
    pub(crate) authority: Arc<str>,
}

/// The authority alone tells nearly all origins apart.
impl Hash for OriginKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.authority.hash(state);
    }
}
