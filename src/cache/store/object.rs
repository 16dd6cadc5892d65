//! A stored response: immutable, shared with those it is being sent to.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::alloc_size::rounded_up;
use crate::cache::policy::freshness::Freshness;
use crate::cache::policy::presented::Presented;
use crate::cache::policy::storable::Storable;
use crate::cache::policy::tags::Tags;
use crate::cache::policy::vary::Selection;
use crate::http::cond::{self, Validators};
use crate::http::range::{self, Selected};
use crate::http::{Fields, Method, RequestHead, Status};

use super::extents::Extents;

/// A response, whole or in parts. Updating one, after a 304, makes another that shares its content.
#[derive(Debug)]
pub struct Object {
    /// The status.
    pub status: Status,
    /// The head as it is sent, without what depends on the moment (`Age`) and without the empty
    /// line.
    pub head: Fields,
    /// The content, or what is here of it.
    pub content: Extents,
    freshness: Freshness,
    /// When it was said to be stale from then on.
    outdated: OnceLock<Instant>,
    /// Set once its origin has failed to bring what is missing.
    incompletable: OnceLock<()>,
    /// Which requests it answers.
    pub selection: Selection,
    /// What it can be purged by, beside its URI.
    pub tags: Tags,
    /// The address that it was fetched from, if that matters.
    pub origin_address: Option<IpAddr>,
    /// Whether nothing from another address may stand beside it.
    pub no_merge: bool,
}

impl Object {
    /// A response that may be stored so.
    #[must_use]
    pub fn new(status: Status, head: Fields, content: Extents, storable: Storable) -> Self {
        let Storable { freshness, selection, tags, .. } = storable;
        let outdated = OnceLock::new();
        Self {
            status,
            head,
            content,
            freshness,
            outdated,
            incompletable: OnceLock::new(),
            selection,
            tags,
            origin_address: None,
            no_merge: false,
        }
    }

    /// The same as fetched from an address, and whether nothing from others may stand beside it.
    #[must_use]
    pub fn fetched_from(self, address: Option<IpAddr>, apart: bool) -> Self {
        Self { origin_address: address, no_merge: apart, ..self }
    }

    /// The same with a newer head, and what follows from that if it may be stored as such.
    #[must_use]
    pub fn updated(&self, head: Fields, storable: Option<Storable>) -> Self {
        let (status, content) = (self.status, self.content.clone());
        match storable {
            Some(storable) => Self::new(status, head, content, storable)
                .fetched_from(self.origin_address, self.no_merge),
            None => Self {
                status,
                head,
                content,
                freshness: self.freshness,
                outdated: self.outdated.clone(),
                incompletable: OnceLock::new(),
                selection: self.selection.clone(),
                tags: self.tags.clone(),
                origin_address: self.origin_address,
                no_merge: self.no_merge,
            },
        }
    }

    /// Says that it is stale from now on.
    pub fn mark_stale(&self, now: Instant) {
        self.outdated.get_or_init(|| now);
    }

    /// Says that its origin has failed to bring what is missing: from now on, requests for more than is
    /// stored are for the origin alone.
    pub fn give_up_completing(&self) {
        self.incompletable.get_or_init(|| ());
    }

    /// Whether it was said to be stale.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.outdated.get().is_some()
    }

    /// How fresh it is.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.outdated.get().map_or(self.freshness, |&at| self.freshness.until(at))
    }

    /// How many bytes the content has as a whole.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.content.length()
    }

    /// Whether all is here that it would be answered with. What is not whole answers nothing but
    /// ranges that are (RFC 9111 §3.3).
    #[must_use]
    pub fn covers(&self, request: &RequestHead) -> bool {
        if self.content.is_whole() {
            return true;
        }
        let validators = Validators::of(&self.head);
        let here = |&(first, end): &(u64, u64)| self.content.next_gap(first, end).is_none();
        request.method() == Method::Get
            && match range::select(request.fields(), &validators, self.length()) {
                Selected::Whole => false,
                Selected::Nothing => true,
                Selected::Parts(parts) => parts.iter().all(here),
            }
    }

    /// The one stretch that `request` would be answered with; none if it asks for several, for none
    /// at all, or for something only the origin knows.
    #[must_use]
    pub fn wanted_by(&self, request: &RequestHead) -> Option<(u64, u64)> {
        let fields = request.fields();
        if self.incompletable.get().is_some()
            || request.method() != Method::Get
            || request.framing().has_content()
            || cond::is_conditional(fields)
            || cond::has_write_precondition(fields)
        {
            return None;
        }
        match range::select(fields, &Validators::of(&self.head), self.length()) {
            Selected::Whole => Some((0, self.length())),
            Selected::Parts(parts) if parts.len() == 1 => Some(parts[0]),
            Selected::Parts(_) | Selected::Nothing => None,
        }
    }

    /// The same with what `older` has of it besides, if that is of the same representation for sure
    /// (RFC 9111 §3.4), and may stand beside it.
    #[must_use]
    pub fn combined_with(&self, older: &Self) -> Option<Self> {
        let same = self.status == older.status
            && (self.origin_address == older.origin_address || !(self.no_merge || older.no_merge))
            && self.length() == older.length()
            && Validators::of(&self.head).are_strongly(&Validators::of(&older.head));
        same.then(|| {
            let mut combined = self.updated(self.head.clone(), None);
            older.content.parts().iter().for_each(|part| combined.content.add(part));
            combined
        })
    }

    /// What it takes of memory, with the content and what the allocator adds.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.own_weight() + self.content.weight() - self.content.list_weight()
    }

    /// Returns the bytes of memory it takes without the content, which other objects may have, too.
    pub(super) fn own_weight(&self) -> usize {
        const ITSELF: usize = rounded_up(size_of::<Object>() + 2 * size_of::<usize>()); // two counters
        let said = self.head.weight() + self.selection.weight() + self.tags.weight();
        ITSELF + said + self.content.list_weight()
    }

    /// Returns true if it may answer `request`, which waited for it to be validated for another one;
    /// since before the origin was asked, if that was `unsent` then.
    #[must_use]
    pub fn answers(&self, request: &mut Presented, unsent: bool, now: Instant) -> bool {
        self.freshness().allows(request.control(), unsent, now)
            && self.selection.fits(request)
            && self.covers(request.head())
    }
}

/// One worker may hand objects to another.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Object>>();
};
