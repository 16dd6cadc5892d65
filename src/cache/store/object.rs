//! A stored response: immutable, and shared with the clients that receive it.

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
use crate::http::{ContentCoding, Fields, Method, RequestHead, Status};

use super::coded_forms::CodedForms;
use super::content::Content;
use super::extents::Extents;
use super::shared_content::SharedContent;

/// A stored response, complete or in parts. An update, after a 304, makes another object that
/// shares the content.
#[derive(Debug)]
pub struct Object {
    /// The status code.
    pub status: Status,
    /// The head as it is sent, without fields that depend on the time (`Age`) and without the empty
    /// line.
    pub head: Fields,
    /// The stored content.
    pub content: Extents,
    /// The complete content in codings of this proxy.
    coded: CodedForms,
    freshness: Freshness,
    /// Time of the soft purge that made this object stale.
    outdated: OnceLock<Instant>,
    /// Set once the origin failed to deliver the missing bytes.
    incompletable: OnceLock<()>,
    /// Requests that the response answers.
    pub selection: Selection,
    /// Tags by which the response can be purged, beside its URI.
    pub tags: Tags,
    /// Address that the response was fetched from, for the access rules of other clients.
    pub origin_address: Option<IpAddr>,
    /// True if parts fetched from another address must not be merged into this object.
    pub no_merge: bool,
}

impl Object {
    /// Creates an object with the properties in `storable`.
    #[must_use]
    pub fn new(status: Status, head: Fields, content: Extents, storable: Storable) -> Self {
        let Storable { freshness, selection, tags, .. } = storable;
        let outdated = OnceLock::new();
        Self {
            status,
            head,
            content,
            coded: CodedForms::default(),
            freshness,
            outdated,
            incompletable: OnceLock::new(),
            selection,
            tags,
            origin_address: None,
            no_merge: false,
        }
    }

    /// Sets the address that the response was fetched from. If `apart`, parts from other addresses
    /// must not be merged into it.
    #[must_use]
    pub fn fetched_from(self, address: Option<IpAddr>, apart: bool) -> Self {
        Self { origin_address: address, no_merge: apart, ..self }
    }

    /// Returns the object with a newer head. With `storable`, its properties follow from the new
    /// head; without, they stay the same.
    #[must_use]
    pub fn updated(&self, head: Fields, storable: Option<Storable>) -> Self {
        let (status, content) = (self.status, self.content.clone());
        match storable {
            Some(storable) => Self {
                coded: self.coded.clone(),
                ..Self::new(status, head, content, storable)
                    .fetched_from(self.origin_address, self.no_merge)
            },
            None => Self {
                status,
                head,
                content,
                coded: self.coded.clone(),
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

    /// Makes the object stale from `now` on.
    pub fn mark_stale(&self, now: Instant) {
        self.outdated.get_or_init(|| now);
    }

    /// Records that the origin failed to deliver the missing bytes. From now on, requests for more
    /// than the stored bytes go to the origin.
    pub fn mark_incompletable(&self) {
        self.incompletable.get_or_init(|| ());
    }

    /// Returns true if a soft purge made the object stale.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.outdated.get().is_some()
    }

    /// Returns the freshness of the response.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.outdated.get().map_or(self.freshness, |&at| self.freshness.until(at))
    }

    /// Returns the length of the complete content.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.content.length()
    }

    /// Returns the complete content in a coding of this proxy, if it was attached.
    #[must_use]
    pub fn coded(&self, coding: ContentCoding) -> Option<&Content> {
        self.coded.get(coding).map(|form| &***form)
    }

    /// Attaches the complete content in a coding. Returns false if it was attached before.
    pub(super) fn attach(&self, coding: ContentCoding, form: Arc<SharedContent>) -> bool {
        debug_assert!(self.content.is_whole(), "a coded form is one of the complete content");
        self.coded.set(coding, form)
    }

    /// Returns all content of the object, of which other objects may have some, too.
    pub(super) fn contents(&self) -> impl Iterator<Item = &Arc<SharedContent>> {
        self.content.parts().iter().chain(self.coded.iter())
    }

    /// Returns true if every byte needed to answer `request` is stored. An incomplete object
    /// satisfies only ranges that it contains (RFC 9111 §3.3).
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

    /// Returns the range of content that answers `request`. `None` if the request asks for several
    /// ranges or an unsatisfiable one, has a condition or content that only the origin can judge,
    /// or if the origin failed to complete the object before.
    #[must_use]
    pub fn wanted_by(&self, request: &RequestHead) -> Option<(u64, u64)> {
        let fields = request.fields();
        if self.incompletable.get().is_some()
            || request.method() != Method::Get
            || request.body_length().has_content()
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

    /// Returns the object merged with the parts of `older`. `None` unless both certainly belong to
    /// the same representation (RFC 9111 §3.4) and their addresses allow the merge.
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

    /// Returns the bytes that the object takes on the heap, with its content and allocation
    /// overhead.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.own_weight() + self.contents().map(|content| content.weight()).sum::<usize>()
    }

    /// Returns the bytes that the object takes on the heap without its content, which other objects
    /// may share.
    pub(super) fn own_weight(&self) -> usize {
        // An `Arc` has two reference counters.
        const ITSELF: usize = rounded_up(size_of::<Object>() + 2 * size_of::<usize>());
        let said = self.head.weight() + self.selection.weight() + self.tags.weight();
        ITSELF + said + self.content.list_weight() + self.coded.list_weight()
    }

    /// Returns true if the object may answer `request`, which waited while it was validated for
    /// another request. `unsent` is true if `request` arrived before the origin was asked.
    #[must_use]
    pub fn answers(&self, request: &mut Presented, unsent: bool, now: Instant) -> bool {
        self.freshness().allows(request.control(), unsent, now)
            && self.selection.fits(request)
            && self.covers(request.head())
    }
}

/// Objects can be handed from one worker to another.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Object>>();
};
