//! Checks of cookies.

use super::cause::serve_tls;
use super::cookie::{Refusal, SetCookie};
use super::finding::{Finding, Fix, Word};
use super::observations::{Exchange, Observations};
use super::url::Url;

/// Returns what is wrong with the cookies that the site sets on the way to the page.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let mut names: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for exchange in &seen.visit.exchanges {
        for cookie in SetCookie::of(exchange) {
            if !names.contains(&cookie.name) {
                names.push(cookie.name.clone());
                found.extend(problem(&cookie, exchange, seen));
            }
        }
    }
    found
}

/// Returns the most harmful problem of a cookie.
fn problem(cookie: &SetCookie, exchange: &Exchange, seen: &Observations) -> Option<Finding> {
    let url = &exchange.url;
    let line = cookie.line();
    let corrected = cookie.corrected(url);
    let is_accepted = corrected.refusal(url).is_none();
    let mut fixes: Vec<Fix> =
        is_accepted.then(|| Fix::application(corrected.line(), "")).into_iter().collect();
    let found = |word, why: &str, fixes| {
        Some(Finding::new(word, format!("{url} sends {line}: {why}"), fixes))
    };
    match cookie.refusal(url) {
        Some(Refusal::Domain) => {
            fixes.push(Fix::tidegate(
                format!("host = '{}'", cookie.domain),
                "in the route, if the application knows itself by that name: the Domain of the \
                 origin is removed",
            ));
            return found(Word::CookieDomain, &format!("the host is {}", url.host()), fixes);
        }
        Some(refusal) => {
            if !url.is_secure() {
                fixes.insert(0, serve_tls());
            }
            return found(Word::CookieRefused, rule(refusal), fixes);
        }
        None => {}
    }
    let is_of_origin = |path: &String| seen.missing_paths.contains(path);
    if cookie.path.as_ref().is_some_and(is_of_origin) {
        let why = "the site has nothing below that path (404), and sets the cookie anew each time";
        return found(Word::CookiePath, why, fixes);
    }
    if url.is_secure() && !cookie.is_secure {
        return found(Word::CookieSecure, "not Secure", fixes);
    }
    None
}

/// Returns the rule that a cookie breaks.
const fn rule(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Domain => "the Domain is another one than the host",
        Refusal::Plain => "Secure, from a site without TLS",
        Refusal::PrefixWithoutSecure => "a name that begins with __Secure- or __Host- needs Secure",
        Refusal::HostPrefix => "a name that begins with __Host- needs Path=/ and no Domain",
        Refusal::OtherSitesWithoutSecure => "SameSite=None needs Secure",
    }
}

/// Returns the path to ask in order to find out if a cookie has a path of the origin: a path that does
/// not cover the page, of a cookie that `again` sets anew.
#[must_use]
pub fn doubtful_paths(page: &Exchange, again: &Exchange) -> Vec<(String, Url)> {
    let path = page.url.path();
    let is_set_again = |cookie: &SetCookie| {
        SetCookie::of(again)
            .any(|other| (other.name, other.path) == (cookie.name.clone(), cookie.path.clone()))
    };
    let mut found: Vec<(String, Url)> = Vec::new();
    for cookie in SetCookie::of(page) {
        let Some(own) = cookie.path.clone().filter(|_| is_set_again(&cookie)) else { continue };
        if !cookie.is_for_path(path, path) && !found.iter().any(|(known, _)| *known == own) {
            let url = page.url.with_target(&own);
            found.push((own, url));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{exchange, observations};

    fn page(url: &str, cookie: &str) -> Exchange {
        exchange(url, &format!("HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\n\r\n"))
    }

    fn found(url: &str, cookie: &str) -> Vec<(Word, String)> {
        let found = check(&observations(page(url, cookie))).into_iter();
        found.map(|finding| (finding.word, finding.fixes[0].text.clone())).collect()
    }

    #[test]
    fn problems_of_cookies_have_the_corrected_line() {
        let (plain, secure) = ("http://shop.example/", "https://shop.example/");
        for (url, cookie, word, line) in [
            (plain, "a=b; Domain=app.internal; HttpOnly", Word::CookieDomain, "a=…; HttpOnly"),
            (secure, "a=b; Domain=x.example; Path=/", Word::CookieDomain, "a=…; Path=/; Secure"),
            (
                secure,
                "a=b; Path=/; SameSite=Lax",
                Word::CookieSecure,
                "a=…; Path=/; Secure; SameSite=Lax",
            ),
            (
                secure,
                "__Host-a=b; Secure; Path=/x",
                Word::CookieRefused,
                "__Host-a=…; Path=/; Secure",
            ),
            (secure, "a=b; SameSite=None", Word::CookieRefused, "a=…; Secure; SameSite=None"),
        ] {
            assert_eq!(found(url, cookie), [(word, format!("Set-Cookie: {line}"))], "{cookie}");
        }
        let (word, fix) = &found(plain, "a=b; Secure")[0];
        assert_eq!((*word, fix.as_str()), (Word::CookieRefused, "listen-tls = '0.0.0.0:443'"));
    }

    #[test]
    fn good_cookies_have_no_finding() {
        assert_eq!(found("https://shop.example/", "a=b; Secure; Path=/account"), []);
        assert_eq!(found("http://shop.example/", "a=b"), []);
    }

    #[test]
    fn corrected_lines_have_no_finding() {
        for url in ["http://shop.example/", "https://shop.example/"] {
            for cookie in ["a=b; Domain=x", "a=b", "__Host-a=b; Domain=x", "a=b; SameSite=None"] {
                let Some((_, fix)) = found(url, cookie).pop() else { continue };
                let Some(line) = fix.strip_prefix("Set-Cookie: ") else { continue };
                assert_eq!(found(url, line), [], "{url} {cookie}");
            }
        }
    }

    #[test]
    fn paths_of_the_origin_are_those_that_the_site_lacks() {
        let mut seen = observations(page("http://shop.example/a", "s=1; Path=/internal"));
        let again = page("http://shop.example/a", "s=2; Path=/internal");
        let asked = doubtful_paths(seen.last(), &again);
        assert_eq!(asked[0].1.to_string(), "http://shop.example/internal");
        let kept = page("http://shop.example/a", "t=2; Path=/internal");
        assert_eq!(doubtful_paths(seen.last(), &kept), []);
        assert_eq!(check(&seen), []);
        seen.missing_paths.push("/internal".to_owned());
        let found = check(&seen);
        assert_eq!(found[0].word, Word::CookiePath);
        assert_eq!(found[0].fixes[0].text, "Set-Cookie: s=…; Path=/");
    }
}
