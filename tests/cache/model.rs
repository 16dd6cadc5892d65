//! A cache with one response in it, asked once.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tidegate::cache::{self, Cache, CacheLimits, Content, KeyMaker, Lookup, Object, Response, Use};
use tidegate::http::{
    ClientCodec, FromClient, FromOrigin, HeadLimits, Name, RequestHead, ResponseHead, ServerCodec,
};
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::time::Now;

/// Thu, 01 Jan 2026 00:00:00 GMT: when every first response comes.
const START: u64 = 1_767_225_600;

/// What becomes of a response, and of a request that comes `after` it.
pub(crate) fn outcome(request: &str, response: &str, after: u64, again: &str) -> String {
    let limits =
        CacheLimits { memory: 1 << 20, object: 1 << 16, hit_for_miss: Duration::from_secs(1) };
    let mut cache: Cache<u8> = Cache::new(limits, KeyMaker::new([1, 2]));
    let start = VirtualClock::default().now().mono;
    let at = |seconds: u64| Now {
        mono: start + Duration::from_secs(seconds),
        wall: UNIX_EPOCH + Duration::from_secs(START + seconds),
    };
    let key = cache.keys().key(&"http://h/a".into());
    let first = Rc::new(read_request(request));
    let head = read_response(response, &first);
    let ticket = cache.begin(&key, &first, 0, at(0).mono);
    let response = Response {
        uri: "http://h/a",
        status: head.status(),
        fields: head.fields(),
        is_coded: head.fields().has(Name::TransferEncoding),
        targets: &[Name::CdnCacheControl],
        rules: &[],
        sent: at(0).mono,
        now: at(0),
    };
    match cache::storable(&first, &response) {
        Err(reason) => {
            cache.abandon(ticket);
            return format!("not stored: {}", reason.name());
        }
        Ok(storable) => {
            let object = Object {
                status: head.status(),
                head: head.fields().clone(),
                content: Content::default(),
                freshness: storable.freshness,
                selection: storable.selection,
            };
            cache.complete(ticket, &Arc::new(object));
        }
    }
    let again = read_request(again);
    match cache.look_up(&key, &again, at(after).mono) {
        Lookup::Hit(object, usable) => {
            let age = object.freshness.age(at(after).mono).as_secs();
            match usable {
                Use::Fresh => format!("fresh, age {age}"),
                Use::WhileRevalidating => format!("stale while revalidating, age {age}"),
                _ => format!("stale, age {age}"),
            }
        }
        Lookup::Stale(_, Use::ValidateForRequest) => "validate as asked".into(),
        Lookup::Stale(..) => "validate".into(),
        Lookup::Busy(_) => "busy".into(),
        Lookup::Miss(missing) => format!("miss: {missing:?}"),
    }
}

/// `METHOD` and field lines, separated by ` | `.
pub(crate) fn read_request(text: &str) -> RequestHead {
    let (method, lines) = text.split_once(" | ").unwrap_or((text, ""));
    let lines: String =
        lines.split(" | ").filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
    let text = format!("{method} http://h/a HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    match ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default()).unwrap() {
        (_, Some(FromClient::Request(head))) => *head,
        other => panic!("{other:?}"),
    }
}

/// A status code and field lines.
fn read_response(text: &str, request: &RequestHead) -> ResponseHead {
    let (status, lines) = text.split_once(" | ").unwrap_or((text, ""));
    let lines: String =
        lines.split(" | ").filter(|l| !l.is_empty()).map(|l| format!("{l}\r\n")).collect();
    let text = format!("HTTP/1.1 {status} x\r\n{lines}\r\n");
    let mut codec = ClientCodec::new(request.method());
    match codec.decode(text.as_bytes(), &HeadLimits::default()).unwrap() {
        (_, Some(FromOrigin::Response(head))) => *head,
        other => panic!("{other:?}"),
    }
}
