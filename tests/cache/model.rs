//! A cache with one stored response, and the outcome of one lookup.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tidegate::cache::{
    self, Cache, CacheLimits, Content, Eviction, Extents, FreshnessRule, KeyBuilder, Lookup,
    NotStored, Object, Presented, Response, ServeDecision, Storable,
};
use tidegate::http::{
    ClientCodec, ClientEvent, HeadLimits, Name, RequestHead, ResponseHead, ServerCodec, ServerEvent,
};
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::time::Now;

/// Thu, 01 Jan 2026 00:00:00 GMT: the time of every first response.
const START: u64 = 1_767_225_600;

/// The memory limit in bytes.
pub(crate) const MEMORY: usize = 64 << 10;

/// The number of responses of one URI that a cache stores.
pub(crate) const VARIANTS: usize = 32;

pub(crate) fn keys() -> KeyBuilder {
    KeyBuilder::new([1, 2])
}

pub(crate) fn cache<F: Copy>() -> Cache<F> {
    let limits = CacheLimits {
        memory: MEMORY,
        object: 1 << 13,
        hit_for_miss: Duration::from_secs(1),
        eviction: Eviction::default(),
        variants: VARIANTS,
    };
    Cache::new(limits, keys())
}

/// Returns the time this many seconds after the first response.
pub(crate) fn at(seconds: u64) -> Now {
    static START_CLOCK: OnceLock<Instant> = OnceLock::new();
    let start = *START_CLOCK.get_or_init(|| VirtualClock::default().now().mono);
    Now {
        mono: start + Duration::from_secs(seconds),
        wall: UNIX_EPOCH + Duration::from_secs(START + seconds),
    }
}

/// Returns the object that is stored for a response received at second `now`.
pub(crate) fn stored(request: &mut Presented, text: &str, now: u64) -> Result<Object, NotStored> {
    let storable = storable(request, text, now, &[])?;
    let (head, content) = (read_response(text, request.head()), Extents::of(Content::default(), 0));
    Ok(Object::new(head.status(), head.fields().clone(), content, storable))
}

/// Returns the storage decision for a response received at second `now`, under these freshness
/// rules of the operator.
pub(crate) fn storable(
    request: &mut Presented,
    text: &str,
    now: u64,
    rules: &[FreshnessRule],
) -> Result<Storable, NotStored> {
    let head = read_response(text, request.head());
    let response = Response {
        uri: "http://h/a",
        status: head.status(),
        fields: head.fields(),
        is_coded: head.fields().has(Name::TransferEncoding),
        targets: &[Name::CdnCacheControl],
        rules,
        store_cookies: false,
        forced: None,
        drops_cookies: false,
        sent: at(now).mono,
        now: at(now),
    };
    cache::storable(request, &response)
}

/// Describes the outcome for a response and a second request `after` seconds later.
pub(crate) fn outcome(request: &str, response: &str, after: u64, again: &str) -> String {
    let mut cache: Cache<u8> = cache();
    let key = cache.keys().key(&"http://h/a".into());
    let mut first = present(request);
    let ticket = cache.begin(&key, &mut first, 0, at(0).mono);
    match stored(&mut first, response, 0) {
        Err(reason) => return format!("not stored: {}", reason.name()),
        Ok(object) => _ = cache.complete(ticket, Arc::new(object)),
    }
    match cache.look_up(&key, &mut present(again), at(after).mono) {
        Lookup::Hit(object, usable) => {
            let age = object.freshness().age(at(after).mono).as_secs();
            match usable {
                ServeDecision::Fresh => format!("fresh, age {age}"),
                ServeDecision::WhileRevalidating => format!("stale while revalidating, age {age}"),
                _ => format!("stale, age {age}"),
            }
        }
        Lookup::Stale(_, ServeDecision::ValidateForRequest) => "validate as asked".into(),
        Lookup::Stale(..) => "validate".into(),
        Lookup::Partial(..) => "a part".into(),
        Lookup::InFlight { .. } => "busy".into(),
        Lookup::Miss(missing) => format!("miss: {missing:?}"),
    }
}

/// Presents a request to the cache: `METHOD` and field lines, separated by ` | `.
pub(crate) fn present(text: &str) -> Presented {
    keys().present(&Arc::new(read_request(text)))
}

/// Parses a request: `METHOD` and field lines, separated by ` | `.
fn read_request(text: &str) -> RequestHead {
    let (method, lines) = text.split_once(" | ").unwrap_or((text, ""));
    let lines: String =
        lines.split(" | ").filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
    let text = format!("{method} http://h/a HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    match ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default()).unwrap() {
        (_, Some(ServerEvent::Request(head))) => *head,
        other => panic!("{other:?}"),
    }
}

/// Parses a response: a status code and field lines, separated by ` | `.
fn read_response(text: &str, request: &RequestHead) -> ResponseHead {
    let (status, lines) = text.split_once(" | ").unwrap_or((text, ""));
    let lines: String =
        lines.split(" | ").filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
    let text = format!("HTTP/1.1 {status} x\r\n{lines}\r\n");
    let mut codec = ClientCodec::new(request.method());
    match codec.decode(text.as_bytes(), &HeadLimits::default()).unwrap() {
        (_, Some(ClientEvent::Response(head))) => *head,
        other => panic!("{other:?}"),
    }
}
