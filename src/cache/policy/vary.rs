//! Selection of stored responses by `Vary` (RFC 9111 §4.1).

use std::sync::Arc;

use crate::alloc_size::rounded_up;
use crate::http::{Fields, Name};

use super::coding::Coding;
use super::preference::first;
use super::presented::{Presented, RequestRules};
use super::selecting::{Selecting, VaryNames};

/// The requests that a stored response answers: those with the selecting fields of the request that
/// it was fetched for, and those that its language or content coding satisfies as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    by: Option<Arc<Selecting>>,
    negotiated: Option<Box<Negotiated>>,
}

/// Properties of a response that preferences of the request selected, as far as the rules let them
/// count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Negotiated {
    /// `Content-Language` in lower case, if the response was selected by `Accept-Language`.
    language: Option<Box<[u8]>>,
    /// The content coding, if the response was selected by `Accept-Encoding`.
    coding: Option<Coding>,
    /// Hashes with the coding, the language, and both, in place of the request's preferences.
    hashes: [Option<u64>; 3],
}

impl Negotiated {
    /// Reads the properties of `response`, which has `names` in `Vary` and answers `request`.
    fn of(response: &Fields, names: &VaryNames, request: &mut Presented) -> Option<Self> {
        let rules = request.rules();
        let by_language = rules.by_language && names.has(Name::AcceptLanguage);
        let by_coding = rules.by_coding && names.has(Name::AcceptEncoding);
        let language = response.only(Name::ContentLanguage).filter(|_| by_language);
        let language: Option<Box<[u8]>> = language.map(|l| l.to_ascii_lowercase().into());
        let coding = by_coding.then(|| Coding::of(response)).flatten();
        let mut hash = |language: Option<&[u8]>, coding: Option<&Coding>| {
            request.negotiated(names, language, coding.map(Coding::name))
        };
        let hashes = match (language.as_deref(), coding.as_ref()) {
            (None, None) => return None,
            (None, coding) => [Some(hash(None, coding)), None, None],
            (language, None) => [None, Some(hash(language, None)), None],
            (language, coding) => {
                [hash(None, coding), hash(language, None), hash(language, coding)].map(Some)
            }
        };
        Some(Self { language, coding, hashes })
    }

    /// Returns true if `wanted`, a canonical `Accept-Language`, prefers the language of the
    /// response to all others and `rules` let that count.
    fn is_preferred(&self, rules: RequestRules, wanted: &[u8]) -> bool {
        let language = self.language.as_deref();
        rules.by_language && language.is_some() && first(wanted) == language
    }

    /// Returns true if a request with the canonical `Accept-Encoding` in `wanted` would be sent the
    /// coding of this response, which was chosen for the value in `stored`, and `rules` let that
    /// count.
    fn would_be_chosen(&self, rules: RequestRules, stored: &[u8], wanted: &[u8]) -> bool {
        let coding = self.coding.as_ref();
        rules.by_coding && coding.is_some_and(|coding| coding.would_be_chosen(stored, wanted))
    }
}

impl Selection {
    /// Returns the selection of `response`, which answers `request`. `None` for `Vary: *`, which no
    /// request can match, for a malformed name, and for too many names.
    #[must_use]
    pub fn of(response: &Fields, request: &mut Presented) -> Option<Self> {
        let names = VaryNames::of(response)?;
        let by = request.selecting(&names).cloned();
        let negotiated = Negotiated::of(response, &names, request).map(Box::new);
        Some(Self { by, negotiated })
    }

    /// Returns the names of the selecting fields, in lower case and sorted.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.by.iter().flat_map(|by| by.names.iter())
    }

    pub(crate) fn vary(&self) -> VaryNames {
        self.by.as_ref().map(|by| by.names.clone()).unwrap_or_default()
    }

    pub(crate) const fn by(&self) -> Option<&Arc<Selecting>> {
        self.by.as_ref()
    }

    /// Returns the content coding, if the response was selected by it.
    pub(crate) fn coding(&self) -> Option<&[u8]> {
        self.negotiated.as_ref()?.coding.as_ref().map(Coding::name)
    }

    /// Returns the hashes under which other requests find the response. Each comes with true if the
    /// response may answer all requests of another response with that hash.
    pub(crate) fn negotiated_hashes(&self) -> impl Iterator<Item = (u64, bool)> {
        let hashes = self.negotiated.as_ref().map(|negotiated| negotiated.hashes);
        let hashes = hashes.into_iter().flatten().zip([true, false, false]);
        hashes.filter_map(|(hash, covers)| Some((hash?, covers)))
    }

    /// Returns true if the response answers every request that selects `other`, which has the same
    /// coding.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (Some(by), Some(others)) = (&self.by, &other.by) else { return false };
        let coding = self.negotiated.as_ref().and_then(|negotiated| negotiated.coding.as_ref());
        let mut fields = by.names.iter().zip(by.values().zip(others.values()));
        by.names == others.names
            && fields.all(|(name, (value, other))| {
                value == other
                    || (Name::from_bytes(name) == Name::AcceptEncoding
                        && coding.is_some_and(|coding| coding.would_be_chosen(value, other)))
            })
    }

    /// Returns the hash of names and values, 0 without `Vary`.
    pub(crate) fn hash(&self) -> u64 {
        self.by.as_ref().map_or(0, |by| by.hash)
    }

    /// Returns true if both responses have equal selecting fields.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.by == other.by
    }

    /// Returns true if `request` selects the response.
    #[must_use]
    pub fn fits(&self, request: &mut Presented) -> bool {
        let Some(by) = &self.by else { return true };
        let rules = request.rules();
        let Some(wanted) = request.selecting(&by.names) else { return true };
        if wanted == by {
            return true;
        }
        let Some(negotiated) = &self.negotiated else { return false };
        let mut fields = by.names.iter().zip(by.values().zip(wanted.values()));
        fields.all(|(name, (stored, wanted))| {
            stored == wanted
                || match Name::from_bytes(name) {
                    Name::AcceptLanguage => negotiated.is_preferred(rules, wanted),
                    Name::AcceptEncoding => negotiated.would_be_chosen(rules, stored, wanted),
                    _ => false,
                }
        })
    }

    /// Returns the selection of a stored response that was validated for `request`, which has given
    /// it the selection `newer`. If the stored selection fits `request`, it is kept, so that the
    /// response still answers the requests it answered before.
    #[must_use]
    pub fn kept_for(&self, newer: Self, request: &mut Presented) -> Self {
        let same = self.vary() == newer.vary() && self.negotiated == newer.negotiated;
        if same && self.fits(request) { self.clone() } else { newer }
    }

    /// Returns the bytes that the selection takes on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        let negotiated = |negotiated: &Negotiated| {
            rounded_up(size_of::<Negotiated>())
                + negotiated.language.as_deref().map_or(0, |language| rounded_up(language.len()))
                + negotiated.coding.as_ref().map_or(0, Coding::weight)
        };
        self.by.as_ref().map_or(0, |by| by.weight())
            + self.negotiated.as_deref().map_or(0, negotiated)
    }
}
