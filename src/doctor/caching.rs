//! Checks of what caches may do with the page and its parts, by the policy of this cache.

use crate::cache::{KeyBuilder, LifetimeSource, NotStored, Response, Storable, storable};
use crate::http::cond::Validators;
use crate::http::{Name, Status};

use super::finding::{Finding, Fix, Word};
use super::observations::{Exchange, Observations, Probe};

/// Decides if a shared cache may store a response (RFC 9111 §3).
///
/// # Errors
/// The reason for not storing it.
pub(super) fn verdict(exchange: &Exchange) -> Result<Storable, NotStored> {
    // No response is stored: the keys need no secret.
    let mut request = KeyBuilder::new([0, 0]).present(&exchange.request);
    let response = Response {
        uri: &exchange.url.to_string(),
        status: exchange.status(),
        fields: exchange.fields(),
        is_coded: exchange.response.is_coded(),
        targets: &[Name::TidegateCacheControl, Name::CdnCacheControl],
        rules: &[],
        store_cookies: false,
        forced: None,
        drops_cookies: false,
        sent: exchange.sent.mono,
        now: exchange.answered,
    };
    storable(&mut request, &response)
}

/// Returns what keeps caches from storing or validating the page and its parts.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(page) = seen.page().filter(|_| seen.is_page_shared()) {
        found.extend(of_response(page, seen.probe(Probe::Again).is_some_and(Exchange::is_hit)));
        found.extend(seen.probe(Probe::Conditional).and_then(|answer| ignored(page, answer)));
    }
    for asset in &seen.assets {
        found.extend(of_response(asset, asset.is_hit()));
    }
    found
}

/// Returns the problems of a response that is the same for all clients. `is_served` is true if a cache
/// answers requests for it, whatever the origin says.
fn of_response(exchange: &Exchange, is_served: bool) -> Vec<Finding> {
    if exchange.status() != Status::OK {
        return Vec::new();
    }
    let lacks_validator = !Validators::of(exchange.fields()).is_some();
    let mut found = Vec::new();
    match verdict(exchange) {
        Err(_) if is_served => return found,
        Err(reason) => {
            found.extend(not_stored(exchange, reason));
            if reason != NotStored::Useless {
                return found;
            }
        }
        Ok(stored) if !is_served && says_nothing(exchange, &stored) => found.push(Finding::new(
            Word::NoLifetime,
            format!("{} has neither Cache-Control nor Expires", exchange.url),
            lifetimes(),
        )),
        Ok(_) => {}
    }
    if lacks_validator {
        let seen = format!("{} has neither ETag nor Last-Modified", exchange.url);
        let fix =
            Fix::application("ETag: \"1\"", "with another value for each version of the content");
        found.push(Finding::new(Word::NoValidator, seen, vec![fix]));
    }
    found
}

/// Returns true if neither a directive nor a field tells for how long a response is fresh.
fn says_nothing(exchange: &Exchange, stored: &Storable) -> bool {
    stored.freshness.lifetime().1 == LifetimeSource::Nothing
        && !exchange.fields().has(Name::CacheControl)
}

/// Returns what gives a response its lifetime.
fn lifetimes() -> Vec<Fix> {
    vec![
        Fix::application("Cache-Control: max-age=60", "or as long as the response may be old"),
        Fix::tidegate(
            "freshness = 'default=1m'",
            "for all responses that say no lifetime; at the top of the file, before all sections",
        ),
    ]
}

/// Returns what replaces the directives of the application.
fn override_control() -> Vec<Fix> {
    vec![
        Fix::application("Cache-Control: max-age=60", "or as long as the response may be old"),
        Fix::tidegate("cache = '1m'", "in a route of paths that are the same for all clients"),
    ]
}

fn not_stored(exchange: &Exchange, reason: NotStored) -> Option<Finding> {
    let control = || {
        let names = [Name::CacheControl, Name::CdnCacheControl, Name::TidegateCacheControl];
        let lines = names
            .iter()
            .filter_map(|&name| Some(format!("{}: {}", name.as_str(), exchange.value(name)?)));
        lines.collect::<Vec<_>>().join(", ")
    };
    let (why, fixes) = match reason {
        NotStored::NoStore | NotStored::Private => (control(), override_control()),
        NotStored::Useless => {
            ("neither Cache-Control nor ETag nor Last-Modified".to_owned(), lifetimes())
        }
        NotStored::Cookie => (
            "Set-Cookie".to_owned(),
            vec![
                Fix::tidegate("drop-set-cookie = 'on'", "in a route of paths that need no session"),
                Fix::application(
                    "Cache-Control: public, max-age=60",
                    "if all clients may get the same cookie; or no Set-Cookie on this page",
                ),
            ],
        ),
        NotStored::VaryAll => (
            format!("Vary: {}", exchange.value(Name::Vary).unwrap_or_default()),
            vec![Fix::application("Vary: Accept-Encoding", "")],
        ),
        _ => return None,
    };
    let seen = format!("{} cannot be stored ({}): {why}", exchange.url, reason.name());
    Some(Finding::new(Word::NotCacheable, seen, fixes))
}

/// Returns the finding of an answer to a conditional request for the page that is the whole page.
fn ignored(page: &Exchange, answer: &Exchange) -> Option<Finding> {
    let validator = |name| answer.request.fields().get(name).map(String::from_utf8_lossy);
    let condition = [Name::IfNoneMatch, Name::IfModifiedSince].into_iter();
    let condition =
        condition.filter_map(|name| Some(format!("{}: {}", name.as_str(), validator(name)?)));
    let is_same = Validators::of(answer.fields()).are_those_of(page.fields());
    let is_whole = answer.status() == Status::OK && answer.content == page.content && is_same;
    is_whole.then(|| {
        let condition: Vec<_> = condition.collect();
        let seen = format!("{} answers {} by 200", page.url, condition.join(" and "));
        let fixes = vec![
            Fix::application("304 Not Modified", "if the validator is that of the content"),
            Fix::tidegate(
                "cache = '1m'",
                "in the route: the cache answers such requests by itself",
            ),
        ];
        Finding::new(Word::ValidatorIgnored, seen, fixes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{exchange, observations, with_condition};

    const URL: &str = "http://shop.example/";

    fn shared(fields: &str, again: &str) -> Observations {
        let page = |more| exchange(URL, &format!("HTTP/1.1 200 OK\r\n{fields}{more}\r\ntext"));
        let mut seen = observations(page(""));
        for probe in [Probe::OtherAgent, Probe::OtherCookie] {
            seen.probes.push((probe, page("")));
        }
        seen.probes.push((Probe::Again, page(again)));
        seen
    }

    fn found(fields: &str) -> Vec<(Word, String)> {
        let found = check(&shared(fields, "")).into_iter();
        found.map(|finding| (finding.word, finding.fixes[0].text.clone())).collect()
    }

    #[test]
    fn reasons_against_storing_have_fixes() {
        let max_age = "Cache-Control: max-age=60".to_owned();
        for (fields, expected) in [
            ("Cache-Control: no-store\r\n", vec![(Word::NotCacheable, max_age.clone())]),
            (
                "Cache-Control: private\r\nETag: \"1\"\r\n",
                vec![(Word::NotCacheable, max_age.clone())],
            ),
            (
                "",
                vec![
                    (Word::NotCacheable, max_age.clone()),
                    (Word::NoValidator, "ETag: \"1\"".into()),
                ],
            ),
            ("ETag: \"1\"\r\n", vec![(Word::NoLifetime, max_age)]),
            ("Cache-Control: max-age=9\r\n", vec![(Word::NoValidator, "ETag: \"1\"".into())]),
            (
                "Set-Cookie: a=b\r\nETag: \"1\"\r\nCache-Control: max-age=9\r\n",
                vec![(Word::NotCacheable, "drop-set-cookie = 'on'".into())],
            ),
            (
                "Vary: *\r\nETag: \"1\"\r\nCache-Control: max-age=9\r\n",
                vec![(Word::NotCacheable, "Vary: Accept-Encoding".into())],
            ),
            ("Cache-Control: no-cache\r\nETag: \"1\"\r\n", vec![]),
            ("Cache-Control: max-age=9\r\nETag: \"1\"\r\n", vec![]),
        ] {
            assert_eq!(found(fields), expected, "{fields}");
        }
    }

    #[test]
    fn pages_of_one_client_may_forbid_storing() {
        let mut seen = shared("Cache-Control: no-store\r\n", "");
        seen.probes[1].1.content = b"other".to_vec();
        assert_eq!(check(&seen), []);
    }

    #[test]
    fn pages_that_a_cache_serves_can_be_stored() {
        let seen = shared("Cache-Control: no-store\r\n", "Cache-Status: tidegate; hit; ttl=9\r\n");
        assert_eq!(check(&seen), []);
    }

    #[test]
    fn validators_that_are_ignored_are_found() {
        let fields = "Cache-Control: max-age=9\r\nETag: \"1\"\r\n";
        let mut seen = shared(fields, "");
        let whole = exchange(URL, &format!("HTTP/1.1 200 OK\r\n{fields}\r\ntext"));
        seen.probes.push((Probe::Conditional, with_condition(whole)));
        let found = check(&seen);
        assert_eq!(found[0].word, Word::ValidatorIgnored);
        assert_eq!(found[0].seen, ["http://shop.example/ answers If-None-Match: \"1\" by 200"]);
        let unchanged = exchange(URL, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n");
        seen.probes.pop();
        seen.probes.push((Probe::Conditional, with_condition(unchanged)));
        assert_eq!(check(&seen), []);
    }
}
