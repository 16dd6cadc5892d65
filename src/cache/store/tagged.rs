//! Stored responses that one conditional request can validate together (RFC 9111 §4.3.1).

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::http::Name;
use crate::http::cond::EntityTag;
use crate::work;

use super::object::Object;

/// Maximum number of responses validated together.
const MAX_ASKED: usize = 32;
/// Maximum length of their entity tags together, in bytes.
const MAX_LENGTH: usize = 4096;
/// Maximum number of responses examined for candidates, the most recently used first.
const LOOKED_AT: usize = 2 * MAX_ASKED;
/// Bytes that one tag takes in this table.
const PLACE: usize = 24;

/// Entity tags of the complete responses of one URI. Some origins give the same tag to all
/// representations of a resource, and would confirm any of them; such responses are not validated
/// together.
#[derive(Debug, Default)]
pub(super) struct Tagged {
    /// Hashes of entity tags, each with the hash of the selection of a response that has it.
    tags: BTreeSet<(u64, u64)>,
    /// Set once two different responses had the same tag.
    is_ambiguous: bool,
}

impl Tagged {
    /// Adds a response with the hash of its selection. `find` returns the response with a given
    /// hash, to compare it with another one of the same tag.
    pub(super) fn add<'a>(
        &mut self,
        object: &Object,
        selection: u64,
        find: impl FnOnce(u64) -> Option<&'a Arc<Object>>,
    ) {
        let Some(tag) = tag(object).map(hash) else { return };
        let same = self.tags.range((tag, 0)..=(tag, u64::MAX)).next();
        if let Some(other) = same.and_then(|(_, selection)| find(*selection)) {
            self.is_ambiguous |= !object.content.is_surely(&other.content);
        }
        self.tags.insert((tag, selection));
    }

    /// Removes a response.
    pub(super) fn remove(&mut self, object: &Object, selection: u64) {
        if let Some(tag) = tag(object).map(hash) {
            self.tags.remove(&(tag, selection));
        }
    }

    /// Returns responses to validate together, one for each tag, out of `objects`, which are those
    /// of the URI. Returns none if the tags do not distinguish the responses, or only one would
    /// remain.
    pub(super) fn candidates<'a>(
        &self,
        objects: impl Iterator<Item = &'a Arc<Object>>,
    ) -> Vec<Arc<Object>> {
        let (mut asked, mut tags, mut length) = (Vec::new(), Vec::new(), 0);
        if self.is_ambiguous || self.tags.len() < 2 {
            return asked;
        }
        for object in objects.take(LOOKED_AT) {
            let Some(tag) = tag(object) else { continue };
            length += tag.opaque.len();
            let hash = hash(tag);
            if asked.len() == MAX_ASKED || length > MAX_LENGTH {
                break;
            }
            if !tags.contains(&hash) {
                tags.push(hash);
                asked.push(Arc::clone(object));
            }
        }
        if asked.len() > 1 { asked } else { Vec::new() }
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        PLACE * self.tags.len()
    }
}

/// Returns the entity tag of a complete response.
fn tag(object: &Object) -> Option<EntityTag<'_>> {
    let tag = object.head.only(Name::ETag).and_then(EntityTag::parse);
    tag.filter(|_| object.content.is_whole())
}

/// Returns the hash of an entity tag. The hash needs no secret: an origin that makes two tags
/// collide only prevents that its responses are validated together.
fn hash(tag: EntityTag<'_>) -> u64 {
    work::count(work::LOOK_UP + tag.opaque.len());
    let mut hasher = SipHasher13::new();
    hasher.write(tag.opaque);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cache::Cache;
    use crate::cache::{CacheLimits, Content, Eviction, Extents, KeyBuilder, Response, storable};
    use crate::http::{Fields, HeadLimits, ServerCodec, ServerEvent, Status};
    use crate::reactor::{Clock, VirtualClock};

    /// Returns the number of validation candidates, if the responses have these tags and contents.
    fn candidates(responses: &[(String, &[u8])]) -> usize {
        let eviction = Eviction::default();
        let hit_for_miss = std::time::Duration::ZERO;
        let limits =
            CacheLimits { memory: 1 << 24, object: 1 << 20, hit_for_miss, eviction, variants: 64 };
        let mut cache = Cache::<u8>::new(limits, KeyBuilder::new([1, 2]));
        let (key, now) = (cache.keys().key(&"http://h/".into()), VirtualClock::default().now());
        for (n, (tag, bytes)) in responses.iter().enumerate() {
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\nAccept: {n}\r\n\r\n");
            let decoded = ServerCodec::new().decode(head.as_bytes(), &HeadLimits::default());
            let Ok((_, Some(ServerEvent::Request(request)))) = decoded else { panic!("{head}") };
            let mut request = cache.keys().present(&Arc::new(*request));
            let mut fields = Fields::default();
            fields.push(b"Vary", b"Accept");
            fields.push(b"Cache-Control", b"max-age=60");
            fields.push(b"ETag", tag.as_bytes());
            let response = Response {
                uri: "http://h/",
                status: Status::OK,
                fields: &fields,
                is_coded: false,
                targets: &[],
                rules: &[],
                store_cookies: false,
                forced: None,
                drops_cookies: false,
                sent: now.mono,
                now,
            };
            let storable = storable(&mut request, &response).unwrap();
            let mut content = Content::default();
            content.push(bytes.to_vec());
            let extents = Extents::of(content, bytes.len() as u64);
            cache.update(&key, &Arc::new(Object::new(Status::OK, fields, extents, storable)));
            cache.check();
        }
        cache.validation_candidates(&key).len()
    }

    fn tagged(tags: &[&str]) -> Vec<(String, &'static [u8])> {
        let contents: [&[u8]; 3] = [b"a", b"b", b"c"];
        tags.iter().zip(contents).map(|(tag, content)| ((*tag).to_owned(), content)).collect()
    }

    #[test]
    fn responses_with_distinct_tags_are_candidates() {
        assert_eq!(candidates(&tagged(&["\"a\"", "\"b\"", "W/\"c\""])), 3);
        assert_eq!(candidates(&tagged(&["\"a\"", "none", "\"c\""])), 2);
        assert_eq!(candidates(&tagged(&["\"a\"", "none"])), 0, "one alone");
        assert_eq!(candidates(&tagged(&["\"a\"", "\"b\"", "W/\"a\""])), 0, "two are alike");
        let mut same = tagged(&["\"a\"", "\"b\"", "\"a\""]);
        same[2].1 = b"a";
        assert_eq!(candidates(&same), 2, "one for each tag");
    }

    #[test]
    fn number_and_length_of_candidates_are_bounded() {
        let many = |length: usize| -> Vec<(String, &'static [u8])> {
            (0..40).map(|n| (format!("\"{n:0length$}\""), &b"x"[..])).collect()
        };
        assert_eq!(candidates(&many(2)), MAX_ASKED);
        assert_eq!(candidates(&many(1000)), MAX_LENGTH / 1002);
        assert_eq!(candidates(&many(1022)), MAX_LENGTH / 1024, "all of the length is used");
        assert_eq!(candidates(&many(3000)), 0, "there is no room for two");
    }

    #[test]
    fn responses_with_a_common_tag_do_not_hide_others() {
        let named = |n: usize| (format!("\"{n}\""), &b"x"[..]);
        let used_last = (0..50).map(|_| named(99));
        assert_eq!(candidates(&(0..14).map(named).chain(used_last).collect::<Vec<_>>()), 15);
    }
}
