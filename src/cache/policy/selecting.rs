//! Selecting fields: their names, from `Vary`, and a request's values in them (RFC 9111 §4.1).

use std::sync::Arc;

use crate::alloc_size::rounded_up;
use crate::http::{Fields, Name, list};
use crate::work;

/// Maximum number of selecting fields. A response with more is not stored.
const MAX_NAMES: usize = 32;
/// Maximum length of their names with the commas, in bytes.
const MAX_NAMES_LENGTH: usize = 1024;

/// Names in `Vary`: in lower case, sorted, without repetition, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VaryNames(Option<Arc<[u8]>>);

impl VaryNames {
    /// Returns the names of the fields that selected a response. `None` for `Vary: *`, which no
    /// request can match, for a malformed name, and for too many names.
    pub(super) fn of(response: &Fields) -> Option<Self> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut length = 0;
        for name in response.elements(Name::Vary) {
            length += name.len() + 1;
            if name == b"*" || !list::is_token(name) || length > MAX_NAMES_LENGTH {
                return None;
            }
            work::count(work::LOOK_UP + name.len());
            names.push(name.to_ascii_lowercase());
        }
        names.sort_unstable();
        names.dedup();
        let text = (!names.is_empty()).then(|| names.join(&b","[..]).into());
        (names.len() <= MAX_NAMES).then_some(Self(text))
    }

    /// Returns the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let names = self.0.as_deref().map(|names| names.split(|&byte| byte == b','));
        names.into_iter().flatten()
    }

    /// Returns true if there are no names, as for a response without `Vary`.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the names as one text.
    pub(crate) fn text(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn has(&self, name: Name) -> bool {
        self.iter().any(|other| Name::from_bytes(other) == name)
    }
}

/// Values of a request in the fields that `Vary` names, in canonical form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selecting {
    /// Hash of names and values, keyed with the secret of the process.
    pub(crate) hash: u64,
    pub(crate) names: VaryNames,
    /// Values in the order of the names, separated by line feeds, which no value contains.
    values: Box<[u8]>,
}

impl Selecting {
    pub(super) fn new(hash: u64, names: VaryNames, values: Vec<u8>) -> Self {
        Self { hash, names, values: values.into() }
    }

    /// Returns the canonical values in the order of the names.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.values.split(|&byte| byte == b'\n')
    }

    pub(crate) fn weight(&self) -> usize {
        rounded_up(size_of::<Self>() + 2 * size_of::<usize>())
            + rounded_up(self.values.len())
            + rounded_up(self.names.text().len() + 2 * size_of::<usize>())
    }
}
