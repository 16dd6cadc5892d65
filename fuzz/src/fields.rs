//! Fields that control the cache: any doubt makes a response less cacheable.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use sfv::{Dictionary, Parser};
use tidegate::cache::{
    self, KeyBuilder, NotStored, Presented, RequestControl, RequestRules, Response,
    ResponseControl, Scope, Selection, Storable,
};
use tidegate::http::{Fields, HeadLimits, Name, ServerCodec, ServerEvent, Status, date};
use tidegate::time::Now;

/// Limit of seconds in a field.
const MAX: Duration = Duration::from_secs(1 << 31);

/// Checks any bytes as `Cache-Control`.
pub fn cache_control(data: &[u8]) {
    let Some(value) = value(data) else { return };
    let control = ResponseControl::of(&fields(&[(b"Cache-Control", value)]));
    for seconds in [control.max_age, control.s_maxage, control.stale_if_error] {
        assert!(seconds.is_none_or(|seconds| seconds <= MAX));
    }
    let request = RequestControl::of(&fields(&[(b"Cache-Control", value)]));
    assert!(request.max_age.is_none_or(|age| age <= MAX));

    // A directive on a further line takes effect, however malformed the line before is.
    let with = |more: &'static [u8]| {
        ResponseControl::of(&fields(&[(b"Cache-Control", value), (b"cache-control", more)]))
    };
    assert!(with(b"no-store").no_store);
    assert_eq!(with(b"private").private, Scope::All);
    assert!(with(b"max-age=5").max_age.is_some_and(|age| age <= Duration::from_secs(5)));
    let named = fields(&[(b"Cache-Control", value), (b"Cache-Control", b"private=\"x-named\"")]);
    let control = ResponseControl::of(&named);
    assert!(control.private == Scope::All || cache::withheld(&named).contains(b"X-Named"));
}

/// Checks any bytes as a date: a parsed date can be written, and parses to the same time again.
pub fn dates(data: &[u8]) {
    let Some(time) = date::parse_relaxed(data) else { return };
    assert_eq!(date::parse(date::format(time).as_bytes()), Some(time));
    assert!(date::parse(data).is_none_or(|strictly| strictly == time));
}

/// Checks a line of `Vary` and lines of two requests: equal requests select the same response.
pub fn vary(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n');
    let (Some(vary), Some(one), Some(other)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Some(vary) = value(vary) else { return };
    let coding: &[(&[u8], &[u8])] = &[(b"Vary", vary), (b"Content-Encoding", b"gzip")];
    let response = fields(coding);
    for by_coding in [false, true] {
        let rules = RequestRules { by_coding, ..RequestRules::default() };
        let (Some(mut one), Some(mut other)) = (request(one, rules), request(other, rules)) else {
            return;
        };
        let Some(selection) = Selection::of(&response, &mut one) else { return };
        assert!(selection.fits(&mut one), "a response fits its own request");
        let theirs =
            Selection::of(&response, &mut other).expect("selection depends on the response alone");
        let same = selection.is_same(&theirs);
        assert_eq!(same, theirs.is_same(&selection));
        assert!(!same || (selection.fits(&mut other) && theirs.fits(&mut one)));
        assert!(same || by_coding || !selection.fits(&mut other));
    }
}

/// Checks any bytes as `CDN-Cache-Control`: a value that is not a dictionary has no effect.
pub fn structured_field(data: &[u8]) {
    let Some(value) = value(data) else { return };
    let plain: (&[u8], &[u8]) = (b"Cache-Control", b"max-age=7");
    let said = storable(&fields(&[plain, (b"CDN-Cache-Control", value)]));
    let dictionary = Parser::new(value).parse::<Dictionary>();
    if dictionary.is_ok_and(|dictionary| !dictionary.is_empty()) {
        return;
    }
    let alone = storable(&fields(&[plain]));
    assert_eq!(said.map(|s| s.freshness), alone.map(|s| s.freshness));
}

fn storable(fields: &Fields) -> Result<Storable, NotStored> {
    let mono = origin_of_time();
    let response = Response {
        uri: "http://h/",
        status: Status::OK,
        fields,
        is_coded: false,
        targets: &[Name::CdnCacheControl],
        rules: &[],
        store_cookies: false,
        forced: None,
        drops_cookies: false,
        sent: mono,
        now: Now { mono, wall: UNIX_EPOCH + Duration::from_secs(1_767_225_600) },
    };
    let mut request = request(b"", RequestRules::default()).expect("a request without own lines");
    cache::storable(&mut request, &response)
}

/// Returns the same instant in every call.
fn origin_of_time() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "no time passes in these rules")]
    *ORIGIN.get_or_init(Instant::now)
}

/// Returns `data` if it is valid as a field value.
fn value(data: &[u8]) -> Option<&[u8]> {
    let legal = |&byte: &u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    data.iter().all(legal).then(|| data.trim_ascii())
}

fn fields(lines: &[(&[u8], &[u8])]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name, value));
    fields
}

/// Creates a request whose `Accept`, `Accept-Language`, `Connection` and `Accept-Encoding` are
/// parts of `data`.
fn request(data: &[u8], rules: RequestRules) -> Option<Presented> {
    let mut parts = data.split(|&byte| byte == b'|');
    let mut line = |name: &[u8]| match parts.next() {
        Some(value) => [name, b": ", value, b"\r\n"].concat(),
        None => Vec::new(),
    };
    let lines =
        [line(b"Accept"), line(b"Accept-Language"), line(b"Connection"), line(b"Accept-Encoding")];
    let text = [b"GET / HTTP/1.1\r\nHost: h\r\n", &lines.concat()[..], b"\r\n"].concat();
    match ServerCodec::new().decode(&text, &HeadLimits::default()) {
        Ok((used, Some(ServerEvent::Request(head)))) if used == text.len() => {
            let mut keys = KeyBuilder::new([1, 2]);
            keys.set_request_rules(rules);
            Some(keys.present(&Arc::new(*head)))
        }
        _ => None,
    }
}
