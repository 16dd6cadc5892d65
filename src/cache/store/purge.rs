//! Purges, which remove stored responses, or make them stale so that they are validated before
//! their next use.

use std::sync::Arc;
use std::time::Instant;

use crate::cache::key::KeyBuilder;
use crate::cache::policy::tags::{Tag, TagKind};

use super::index::Index;
use super::range::Range;
use super::variants::Variant;

/// Number of entries looked up at a time.
const BATCH: usize = 32;

/// Scope of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeScope {
    /// Responses stored for one normalised URI.
    Uri(Arc<str>),
    /// All normalised URIs with this prefix.
    Prefix(String),
    /// All URIs of a host, on every port, or on the port that it is given with.
    Host(String),
    /// Responses with this tag, or in a group of this name.
    Tag(Vec<u8>),
    /// All responses.
    All,
}

/// A purge in progress. It runs slice by slice, so that a large purge delays no client.
#[derive(Clone, Debug)]
pub struct Purge {
    ranges: Vec<Range>,
    last: Option<Arc<str>>,
    /// Time from which the found responses are stale, if the purge is soft.
    soft: Option<Instant>,
    /// Number of the last response that the purge covers.
    before: u64,
    count: usize,
}

/// Entries that a purge examines next.
#[derive(Debug)]
pub(super) struct Batch {
    /// Entries by URI and slot.
    pub(super) entries: Vec<(Arc<str>, usize)>,
    /// True if no entry of the range follows.
    pub(super) is_last: bool,
}

impl PurgeScope {
    /// Returns the ranges of the index that contain the whole scope. A URI is looked up under the
    /// key that the key rules make.
    pub(crate) fn ranges(&self, keys: &KeyBuilder) -> Vec<Range> {
        let prefix = Range::below;
        let tagged = |kind, name| Range::tagged(Tag::new(kind, name), "");
        match self {
            Self::Uri(uri) => {
                let (spaces, plain) = keys.texts(uri);
                let exact = std::iter::once(Range::exactly(plain));
                exact.chain(spaces.into_iter().map(prefix)).collect()
            }
            Self::Prefix(text) => vec![prefix(text.clone())],
            Self::Host(host) => {
                let roots = ["http", "https"].map(|scheme| format!("{scheme}://{host}"));
                let ends = ["/", ":"];
                let roots = roots.iter().flat_map(|root| ends.map(|end| [root, end].concat()));
                roots.map(prefix).collect()
            }
            Self::Tag(name) => vec![tagged(TagKind::Group, name), tagged(TagKind::Key, name)],
            Self::All => vec![prefix(String::new())],
        }
    }
}

impl Purge {
    /// Creates a purge of ranges of the index, for responses up to the number `before`. With
    /// `soft`, it removes nothing and makes the found responses stale from that time on.
    pub(crate) const fn of(ranges: Vec<Range>, soft: Option<Instant>, before: u64) -> Self {
        Self { ranges, last: None, soft, before, count: 0 }
    }

    /// Returns the number of responses found so far.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of the last response that the purge covers.
    pub(super) const fn before(&self) -> u64 {
        self.before
    }

    /// Returns true if the purge covers a response, by its number and its tags.
    pub(super) fn is_for(&self, variant: &Variant) -> bool {
        let tag = self.ranges.last().and_then(Range::tag);
        variant.number <= self.before && tag.is_none_or(|tag| variant.object.tags.has(tag))
    }

    /// Returns the time from which found responses are stale. `None` if the purge removes them.
    pub(super) const fn soft(&self) -> Option<Instant> {
        self.soft
    }

    /// Returns the next entries to examine. `None` once the purge is complete.
    pub(super) fn next_batch(&self, index: &Index) -> Option<Batch> {
        let range = self.ranges.last()?;
        let count = if range.is_exact() { 1 } else { BATCH };
        let entries = index.after(range, self.last.as_ref(), count);
        let is_last = range.is_exact() || entries.len() < count;
        Some(Batch { entries, is_last })
    }

    /// Returns true if `uri` lies in the current range.
    pub(super) fn has(&self, uri: &str) -> bool {
        self.ranges.last().is_some_and(|range| range.has(uri))
    }

    /// Moves past `uri`, for which `found` responses were purged.
    pub(super) fn advance(&mut self, uri: Arc<str>, found: usize) {
        self.count += found;
        self.last = Some(uri);
    }

    /// Moves to the next range.
    pub(super) fn finish_range(&mut self) {
        self.ranges.pop();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::cache::{
        Cache, CacheKey, CacheLimits, Content, Extents, KeyBuilder, KeyRules, Lookup, Object,
        Presented, Response, ServeDecision, storable,
    };
    use crate::http::{Fields, HeadLimits, ServerCodec, ServerEvent, Status};
    use crate::reactor::{Clock, Now, VirtualClock};

    use super::*;

    struct Kept {
        cache: Cache<u8>,
        now: Now,
    }

    impl Kept {
        fn new(uris: &[(&str, &str)]) -> Self {
            let (memory, hit_for_miss) = (2 << 20, Duration::ZERO);
            let limits = CacheLimits {
                memory,
                object: 1000,
                hit_for_miss,
                eviction: crate::cache::Eviction::default(),
                variants: 32,
            };
            let cache = Cache::new(limits, KeyBuilder::new([1, 2]));
            let mut kept = Self { cache, now: VirtualClock::default().now() };
            for (uri, tags) in uris {
                let object = kept.object(uri, tags);
                kept.cache.update(&kept.key(uri), &object);
            }
            kept
        }

        fn key(&self, uri: &str) -> CacheKey {
            self.cache.keys().key(&uri.into())
        }

        fn object(&self, uri: &str, tags: &str) -> Arc<Object> {
            self.object_with(uri, tags, "max-age=60")
        }

        fn object_with(&self, uri: &str, tags: &str, control: &str) -> Arc<Object> {
            let mut head = Fields::default();
            head.push(b"Cache-Control", control.as_bytes());
            head.push(b"Surrogate-Key", tags.as_bytes());
            let response = Response {
                uri,
                status: Status::OK,
                fields: &head,
                is_coded: false,
                targets: &[],
                rules: &[],
                store_cookies: false,
                forced: None,
                drops_cookies: false,
                sent: self.now.mono,
                now: self.now,
            };
            let storable = storable(&mut self.request(uri), &response).unwrap();
            let content = Extents::of(Content::default(), 0);
            Arc::new(Object::new(Status::OK, head, content, storable))
        }

        fn purge(&mut self, what: &PurgeScope, soft: bool) -> usize {
            let mut purge = self.cache.purge(what, soft, self.now.mono);
            while !self.cache.run_slice(&mut purge) {}
            self.cache.check();
            purge.count()
        }

        fn look_up(&mut self, uri: &str) -> Lookup<u8> {
            let key = self.key(uri);
            let mut request = self.request(uri);
            self.cache.look_up(&key, &mut request, self.now.mono)
        }

        fn request(&self, uri: &str) -> Presented {
            let head = format!("GET {uri} HTTP/1.1\r\nHost: x\r\n\r\n");
            match ServerCodec::new().decode(head.as_bytes(), &HeadLimits::default()) {
                Ok((_, Some(ServerEvent::Request(head)))) => {
                    self.cache.keys().present(&Arc::new(*head))
                }
                other => panic!("{other:?}"),
            }
        }
    }

    const STORED: &[(&str, &str)] = &[
        ("http://h.test/", "all"),
        ("http://h.test/a", "all a"),
        ("http://h.test/ab", "all b"),
        ("http://h.test:81/a", "all"),
        ("http://h.test.evil/a", "all"),
        ("https://h.test/a", "A"),
    ];

    #[test]
    fn each_scope_finds_exactly_its_responses() {
        for (what, count) in [
            (PurgeScope::Uri("http://h.test/a".into()), 1),
            (PurgeScope::Uri("http://h.test/none".into()), 0),
            (PurgeScope::Prefix("http://h.test/a".into()), 2),
            (PurgeScope::Prefix("http://h.test/".into()), 3),
            (PurgeScope::Host("h.test".into()), 5),
            (PurgeScope::Host("h.test:81".into()), 1),
            (PurgeScope::Host("h".into()), 0),
            (PurgeScope::Tag(b"all".to_vec()), 5),
            (PurgeScope::Tag(b"a".to_vec()), 1),
            (PurgeScope::Tag(b"al".to_vec()), 0),
            (PurgeScope::All, 6),
        ] {
            let mut kept = Kept::new(STORED);
            assert_eq!(kept.purge(&what, true), count, "{what:?}, softly");
            assert_eq!(kept.cache.stats().entries, 6);
            assert_eq!(kept.purge(&what, false), count, "{what:?}");
            assert_eq!(kept.cache.stats().entries, 6 - count);
        }
    }

    #[test]
    fn large_purge_runs_in_slices() {
        let uris: Vec<String> = (0..2000).map(|n| format!("http://h.test/{n}")).collect();
        let uris: Vec<_> = uris.iter().map(|uri| (uri.as_str(), "t")).collect();
        for what in
            [PurgeScope::All, PurgeScope::Tag(b"t".to_vec()), PurgeScope::Host("h.test".into())]
        {
            let mut kept = Kept::new(&uris);
            let mut purge = kept.cache.purge(&what, false, kept.now.mono);
            assert!(!kept.cache.run_slice(&mut purge));
            assert!((1..1000).contains(&purge.count()));
            while !kept.cache.run_slice(&mut purge) {}
            assert_eq!((purge.count(), kept.cache.stats().entries), (uris.len(), 0));
        }
    }

    #[test]
    fn soft_purge_demands_validation_until_the_response_is_replaced() {
        let mut kept = Kept::new(STORED);
        let uri = "http://h.test/a";
        assert!(matches!(kept.look_up(uri), Lookup::Hit(_, ServeDecision::Fresh)));
        assert_eq!(kept.purge(&PurgeScope::Tag(b"a".to_vec()), true), 1);
        assert!(matches!(kept.look_up(uri), Lookup::Stale(_, ServeDecision::Validate)));
        let (key, mut request) = (kept.key(uri), kept.request(uri));
        assert!(kept.cache.stored_for(&key, &mut request).is_none());
        let newer = kept.object(uri, "");
        kept.cache.update(&kept.key(uri), &newer);
        assert!(matches!(kept.look_up(uri), Lookup::Hit(_, ServeDecision::Fresh)));
        assert_eq!(kept.purge(&PurgeScope::Tag(b"a".to_vec()), true), 0, "its tags were replaced");
    }

    #[test]
    fn soft_purge_keeps_stale_while_revalidate() {
        let mut kept = Kept::new(&[]);
        let uri = "http://h.test/a";
        let control = "max-age=60, stale-while-revalidate=30";
        let object = kept.object_with(uri, "", control);
        kept.cache.update(&kept.key(uri), &object);
        let after = |kept: &mut Kept, seconds| {
            kept.now.mono += Duration::from_secs(seconds);
            kept.look_up(uri)
        };
        assert!(matches!(after(&mut kept, 10), Lookup::Hit(_, ServeDecision::Fresh)));
        assert_eq!(kept.purge(&PurgeScope::All, true), 1);
        assert!(matches!(after(&mut kept, 29), Lookup::Hit(_, ServeDecision::WhileRevalidating)));
        assert!(matches!(after(&mut kept, 1), Lookup::Stale(_, ServeDecision::Validate)));
    }

    #[test]
    fn purge_keeps_responses_stored_after_it_began() {
        let mut kept = Kept::new(STORED);
        let mut purge = kept.cache.purge(&PurgeScope::All, false, kept.now.mono);
        let newer = kept.object("http://h.test/a", "all a");
        kept.cache.update(&kept.key("http://h.test/a"), &newer);
        while !kept.cache.run_slice(&mut purge) {}
        assert_eq!((purge.count(), kept.cache.stats().entries), (5, 1));
    }

    #[test]
    fn uri_is_purged_under_its_key() {
        let mut kept = Kept::new(&[]);
        let drop = Some("utm_*".parse().unwrap());
        kept.cache.set_key_rules(KeyRules { drop, ..KeyRules::default() }, Vec::new());
        let stored = kept.object("http://h.test/?a", "");
        kept.cache.update(&kept.key("http://h.test/?a&utm_x=1"), &stored);
        assert_eq!(kept.purge(&PurgeScope::Uri("http://h.test/?utm_x=2&a".into()), false), 1);
        // Responses that were stored under other rules are found, too.
        kept.cache.update(&kept.key("http://h.test/?a"), &stored);
        let drop = Some("a".parse().unwrap());
        kept.cache.set_key_rules(KeyRules { drop, ..KeyRules::default() }, Vec::new());
        assert_eq!(kept.purge(&PurgeScope::Prefix("http://h.test/".into()), false), 1);
    }

    #[test]
    fn purge_outdates_fetches_in_flight() {
        let mut kept = Kept::new(&[]);
        let (uri, other) = ("http://h.test/a", "http://other.test/a");
        let begin = |kept: &mut Kept, uri, fetch| {
            let (key, mut request) = (kept.key(uri), kept.request(uri));
            kept.cache.begin(&key, &mut request, fetch, kept.now.mono)
        };
        let tickets = [begin(&mut kept, uri, 1), begin(&mut kept, other, 2)];
        assert!(matches!(kept.look_up(uri), Lookup::InFlight { fetch: 1, .. }));
        kept.purge(&PurgeScope::Host("h.test".into()), false);
        assert!(matches!(kept.look_up(uri), Lookup::Miss(_)));
        assert!(matches!(kept.look_up(other), Lookup::InFlight { fetch: 2, .. }));
        for (ticket, uri) in tickets.into_iter().zip([uri, other]) {
            let object = kept.object(uri, "");
            kept.cache.complete(ticket, object);
        }
        assert_eq!(kept.cache.stats().entries, 1);
    }
}
