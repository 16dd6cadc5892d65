//! Responses stored for one URI, found by their selecting fields.

use std::collections::HashMap;
use std::sync::Arc;

use lru::LruCache;

use crate::alloc_size::rounded_up;
use crate::cache::key::BuildPrehashed;
use crate::cache::policy::presented::Presented;
use crate::cache::policy::selecting::VaryNames;
use crate::cache::policy::tags;
use crate::cache::policy::vary::Selection;
use crate::work;

use super::object::Object;
use super::tagged::Tagged;

/// Maximum number of families, each of them with another list of names in `Vary`, among the
/// responses of one URI. Beyond it, the family that was stored longest ago is removed.
const MAX_FAMILIES: usize = 8;
/// Maximum number of content codings of a family that are remembered for comparison with requests.
const MAX_CODINGS: usize = 8;
/// Maximum number of tags of all responses of one URI; one response has at most a quarter of it.
/// Beyond it, the least recently used responses are removed, so that removing an entry takes
/// bounded work.
const MAX_TAGS: usize = 4 * tags::MAX_TAGS;
/// Bytes that one response takes in the tables: a node of the list, and places in a table that is
/// half full.
const PLACE: usize = 48 + 2 * (2 * size_of::<usize>() + 1);
/// Bytes of the two ends of the list, which are nodes without a response.
const ENDS: usize = 2 * 48;

/// A stored response.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) object: Arc<Object>,
    /// Sequence number of the response in the order of storing.
    pub(super) number: u64,
}

/// Responses stored for one URI, at least one.
#[derive(Debug)]
pub(super) enum Variants {
    One(Variant),
    Several(Box<Several>),
}

/// Several responses that different requests select.
#[derive(Debug)]
pub(super) struct Several {
    /// Responses by the hash of their selection, in the order of their last use.
    variants: LruCache<u64, Variant, BuildPrehashed>,
    families: Vec<Family>,
    /// Hashes of the selections of negotiated responses, by the hashes under which other requests
    /// find them.
    negotiated: HashMap<u64, u64, BuildPrehashed>,
    tagged: Tagged,
    /// Bytes of all objects.
    objects: usize,
    /// Tags of all objects.
    tags: usize,
}

/// Responses with the same names in `Vary`.
#[derive(Debug)]
struct Family {
    names: VaryNames,
    count: usize,
    /// Number of the family's response stored last.
    newest: u64,
    codings: Vec<Box<[u8]>>,
}

impl Variants {
    /// Returns the response that `request` selects. If there are several, returns the one stored
    /// last.
    pub(super) fn find(&self, request: &mut Presented) -> Option<&Variant> {
        match self {
            Self::One(variant) => variant.object.selection.fits(request).then_some(variant),
            Self::Several(several) => several.find(request),
        }
    }

    /// Returns the response with the same selecting fields.
    pub(super) fn get(&self, selection: &Selection) -> Option<&Variant> {
        let variant = match self {
            Self::One(variant) => Some(variant),
            Self::Several(several) => several.variants.peek(&selection.hash()),
        };
        variant.filter(|variant| variant.object.selection.is_same(selection))
    }

    /// Returns true if `object` itself is one of the responses.
    pub(super) fn has(&self, object: &Arc<Object>) -> bool {
        self.get(&object.selection).is_some_and(|found| Arc::ptr_eq(&found.object, object))
    }

    /// Counts bytes by which one of the responses has grown.
    pub(super) fn grow(&mut self, by: usize) {
        if let Self::Several(several) = self {
            several.objects += by;
        }
    }

    /// Records a use of a response.
    pub(super) fn used(&mut self, object: &Object) {
        if let Self::Several(several) = self {
            several.variants.promote(&object.selection.hash());
        }
    }

    /// Returns the names in the `Vary` of the response stored last.
    pub(super) fn names(&self) -> VaryNames {
        match self {
            Self::One(variant) => variant.object.selection.vary(),
            Self::Several(several) => several.names(),
        }
    }

    /// Returns the responses, the most recently used first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Variant> {
        let (one, several) = match self {
            Self::One(variant) => (Some(variant), None),
            Self::Several(several) => (None, Some(several.variants.iter().map(|(_, v)| v))),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(several) => several.variants.len(),
        }
    }

    /// Returns the number of tags of all responses.
    pub(super) fn tags(&self) -> usize {
        match self {
            Self::One(variant) => variant.object.tags.len(),
            Self::Several(several) => several.tags,
        }
    }

    /// Adds a response, in place of those whose requests it also answers. Returns the responses
    /// that leave: those replaced, and the least recently used beyond `most`.
    pub(super) fn put(&mut self, variant: Variant, most: usize) -> Vec<Arc<Object>> {
        match self {
            Self::One(old) if old.object.selection.is_same(&variant.object.selection) => {
                vec![std::mem::replace(old, variant).object]
            }
            Self::One(old) => {
                let mut several = Several::new();
                several.put(old.clone());
                *self = Self::Several(Box::new(several));
                self.put(variant, most)
            }
            Self::Several(several) => {
                let mut leaving = several.put(variant);
                let too_many = |several: &Several| {
                    several.variants.len() > most.max(1) || several.tags > MAX_TAGS
                };
                while too_many(several) {
                    leaving.extend(several.remove_least_used());
                }
                leaving
            }
        }
    }

    /// Removes the responses for which `meant` returns true, but never the last remaining one.
    /// Returns the removed responses, and true if `meant` selects all.
    pub(super) fn remove(
        &mut self,
        mut meant: impl FnMut(&Variant) -> bool,
    ) -> (Vec<Arc<Object>>, bool) {
        let hash = |variant: &Variant| variant.object.selection.hash();
        let mut hashes: Vec<u64> = self.iter().filter(|v| meant(v)).map(hash).collect();
        let all = hashes.len() == self.len();
        if all {
            hashes.pop();
        }
        let Self::Several(several) = self else { return (Vec::new(), all) };
        (hashes.into_iter().filter_map(|hash| several.remove(hash)).collect(), all)
    }

    /// Removes the less recently used half of several responses.
    pub(super) fn halve(&mut self) -> Vec<Arc<Object>> {
        let Self::Several(several) = self else { return Vec::new() };
        let half = several.variants.len() / 2;
        (0..half).filter_map(|_| several.remove_least_used()).collect()
    }

    /// Returns the responses that one conditional request can validate together, or none if that is
    /// not useful.
    pub(super) fn validation_candidates(&self) -> Vec<Arc<Object>> {
        let Self::Several(several) = self else { return Vec::new() };
        several.tagged.candidates(several.variants.iter().map(|(_, variant)| &variant.object))
    }

    /// Returns true if a response is in use, for example being sent to a client.
    pub(super) fn is_in_use(&self) -> bool {
        self.iter().any(|variant| Arc::strong_count(&variant.object) > 1)
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::One(variant) => variant.object.weight(),
            Self::Several(several) => several.weight(),
        }
    }

    /// Panics if the books do not agree with a recount.
    pub(super) fn check(&self) {
        if let Self::Several(several) = self {
            several.check();
        }
    }
}

impl Several {
    fn new() -> Self {
        Self {
            variants: LruCache::unbounded_with_hasher(BuildPrehashed::default()),
            families: Vec::new(),
            negotiated: HashMap::default(),
            tagged: Tagged::default(),
            objects: 0,
            tags: 0,
        }
    }

    fn find(&self, request: &mut Presented) -> Option<&Variant> {
        let found = self.families.iter().filter_map(|family| self.find_in(family, request));
        found.max_by_key(|variant| variant.number)
    }

    fn find_in(&self, family: &Family, request: &mut Presented) -> Option<&Variant> {
        let hash = request.selecting(&family.names).map_or(0, |selecting| selecting.hash);
        self.fitting(hash, request).or_else(|| self.negotiated_in(family, request))
    }

    /// Returns a response that was negotiated for another request and would also be sent for this
    /// one.
    fn negotiated_in(&self, family: &Family, request: &mut Presented) -> Option<&Variant> {
        if self.negotiated.is_empty() {
            return None;
        }
        let language = request.preferred_language(&family.names);
        let codings = family.codings.iter().map(|coding| Some(&**coding)).chain([None]);
        let languages = [None, language.as_deref()];
        let negotiated = codings.flat_map(|coding| languages.map(|language| (language, coding)));
        let mut found = negotiated.filter(|negotiated| *negotiated != (None, None)).map(
            |(language, coding)| {
                work::count(work::LOOK_UP);
                let hash = request.negotiated(&family.names, language, coding);
                self.fitting(*self.negotiated.get(&hash)?, request)
            },
        );
        found.find_map(|variant| variant)
    }

    fn fitting(&self, hash: u64, request: &mut Presented) -> Option<&Variant> {
        work::count(work::LOOK_UP);
        let variant = self.variants.peek(&hash)?;
        variant.object.selection.fits(request).then_some(variant)
    }

    fn names(&self) -> VaryNames {
        let newest = self.families.iter().max_by_key(|family| family.newest);
        newest.map(|family| family.names.clone()).unwrap_or_default()
    }

    fn put(&mut self, variant: Variant) -> Vec<Arc<Object>> {
        let (object, number) = (Arc::clone(&variant.object), variant.number);
        let hash = object.selection.hash();
        let mut leaving: Vec<Arc<Object>> = self.remove(hash).into_iter().collect();
        self.objects += object.weight();
        self.tags += object.tags.len();
        self.variants.put(hash, variant);
        self.join_family(&object, number);
        let Self { tagged, variants, .. } = self;
        tagged.add(&object, hash, |other| variants.peek(&other).map(|variant| &variant.object));
        for (negotiated, covers) in object.selection.negotiated_hashes() {
            let other = self.negotiated.insert(negotiated, hash);
            let other = other.filter(|_| covers).and_then(|other| self.variants.peek(&other));
            let other = other.map(|other| Arc::clone(&other.object));
            if let Some(other) = other.filter(|other| object.selection.covers(&other.selection)) {
                leaving.extend(self.remove(other.selection.hash()));
            }
        }
        if self.families.len() > MAX_FAMILIES {
            self.remove_oldest_family(&mut leaving);
        }
        leaving
    }

    /// Counts a response in the family of its names, and remembers its coding.
    fn join_family(&mut self, object: &Object, number: u64) {
        let names = object.selection.vary();
        let known = self.families.iter().position(|family| family.names == names);
        let at = known.unwrap_or_else(|| {
            self.families.push(Family { names, count: 0, newest: 0, codings: Vec::new() });
            self.families.len() - 1
        });
        let family = &mut self.families[at];
        family.count += 1;
        family.newest = number;
        let coding = object.selection.coding();
        if let Some(coding) = coding.filter(|_| family.codings.len() < MAX_CODINGS)
            && !family.codings.iter().any(|known| **known == *coding)
        {
            family.codings.push(coding.into());
        }
    }

    fn remove(&mut self, hash: u64) -> Option<Arc<Object>> {
        work::count(work::LOOK_UP);
        let Variant { object, .. } = self.variants.pop(&hash)?;
        self.objects -= object.weight();
        self.tags -= object.tags.len();
        self.tagged.remove(&object, hash);
        let names = object.selection.vary();
        if let Some(at) = self.families.iter().position(|family| family.names == names) {
            self.families[at].count -= 1;
            if self.families[at].count == 0 {
                self.families.remove(at);
            }
        }
        for (negotiated, _) in object.selection.negotiated_hashes() {
            if self.negotiated.get(&negotiated) == Some(&hash) {
                self.negotiated.remove(&negotiated);
            }
        }
        Some(object)
    }

    fn remove_least_used(&mut self) -> Option<Arc<Object>> {
        let hash = self.variants.peek_lru().map(|(hash, _)| *hash)?;
        self.remove(hash)
    }

    fn remove_oldest_family(&mut self, leaving: &mut Vec<Arc<Object>>) {
        let oldest = self.families.iter().min_by_key(|family| family.newest);
        let Some(names) = oldest.map(|family| family.names.clone()) else { return };
        work::count(self.variants.len() + names.text().len());
        let of_family = |(_, variant): &(&u64, &Variant)| variant.object.selection.vary() == names;
        let hashes: Vec<u64> =
            self.variants.iter().filter(of_family).map(|(hash, _)| *hash).collect();
        leaving.extend(hashes.into_iter().filter_map(|hash| self.remove(hash)));
    }

    fn weight(&self) -> usize {
        let codings = |family: &Family| {
            rounded_up(family.codings.capacity() * size_of::<Box<[u8]>>())
                + family.codings.iter().map(|coding| rounded_up(coding.len())).sum::<usize>()
        };
        // A table has a power of two of places, some of which stay free, and one byte of control
        // for each place.
        let most = self.negotiated.capacity();
        let places = if most == 0 { 0 } else { most.next_power_of_two() };
        rounded_up(size_of::<Self>())
            + ENDS
            + rounded_up(self.families.capacity() * size_of::<Family>())
            + self.families.iter().map(codings).sum::<usize>()
            + rounded_up(places * (2 * size_of::<u64>() + 1))
            + self.tagged.weight()
            + PLACE * self.variants.len()
            + self.objects
    }

    fn check(&self) {
        let objects = self.variants.iter().map(|(_, variant)| variant.object.weight());
        assert_eq!(objects.sum::<usize>(), self.objects, "bytes of variants are counted");
        let tags = self.variants.iter().map(|(_, variant)| variant.object.tags.len());
        assert_eq!(tags.sum::<usize>(), self.tags, "tags are counted");
        assert!(self.tags <= MAX_TAGS, "and bounded");
        assert!(self.families.len() <= MAX_FAMILIES);
        for family in &self.families {
            let of_family = |(_, v): &(&u64, &Variant)| v.object.selection.vary() == family.names;
            assert_eq!(self.variants.iter().filter(of_family).count(), family.count);
        }
        let counted = self.families.iter().map(|family| family.count).sum::<usize>();
        assert_eq!(counted, self.variants.len(), "every variant is in a family");
        for (hash, variant) in &self.variants {
            assert_eq!(variant.object.selection.hash(), *hash);
        }
        for hash in self.negotiated.values() {
            assert!(self.variants.contains(hash), "negotiated hashes lead to stored responses");
        }
    }
}
