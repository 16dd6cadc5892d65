//! Checks of redirections.

use crate::http::Name;

use super::cause::{Cause, base_url, claim, keep_host, own_host, report_tls, serve_tls};
use super::finding::{Finding, Fix, Word};
use super::observations::{Exchange, Observations, VisitEnd};
use super::url::Url;

/// Redirections of a loop that are shown.
const MOST_HOPS: usize = 3;

/// Returns what is wrong with the redirections on the way to the page.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let exchanges = &seen.visit.exchanges;
    let found = match &seen.visit.end {
        VisitEnd::Page | VisitEnd::Internal => return Vec::new(),
        VisitEnd::Loop(start) => {
            let hops = &exchanges[*start..];
            found(Word::RedirectLoop, hops, loop_fixes(hops, seen))
        }
        VisitEnd::TooMany => found(Word::TooManyRedirects, exchanges, vec![one_less(exchanges)]),
        VisitEnd::Unreachable(why) => {
            let last = seen.last();
            let to = last.redirects_to().filter(|to| to.has_host_of(&last.url));
            let wants_tls = !last.url.is_secure() && to.is_some_and(|to| to.is_secure());
            let mut fixes = vec![base_url(&exchanges[0].url)];
            if wants_tls {
                fixes.insert(0, serve_tls());
            }
            let mut finding = found(Word::RedirectUnreachable, std::slice::from_ref(last), fixes);
            finding.seen.push(why.clone());
            finding
        }
    };
    vec![found]
}

fn found(word: Word, hops: &[Exchange], fixes: Vec<Fix>) -> Finding {
    let mut lines = hops.iter().map(hop);
    let mut finding = Finding::new(word, lines.next().unwrap_or_default(), fixes);
    finding.seen.extend(lines.take(MOST_HOPS - 1));
    finding
}

fn hop(exchange: &Exchange) -> String {
    let to = exchange.redirects_to().map(|url| url.to_string()).or_else(|| {
        exchange.value(Name::Location).map(|text| format!("'{}'", text.escape_debug()))
    });
    let to = to.unwrap_or_else(|| "nowhere".to_owned());
    format!("{} redirects to {to} ({})", exchange.url, exchange.status().code())
}

/// Returns what ends a loop, by its cause.
fn loop_fixes(hops: &[Exchange], seen: &Observations) -> Vec<Fix> {
    let public = seen.public();
    let is_of_loop = |url: Url| hops.iter().any(|hop| hop.url == url);
    let cause =
        Cause::of(seen.asked_origin(), |answer| answer.redirects_to().is_some_and(is_of_loop));
    let upgrades = hops.iter().any(|hop| hop.redirects_to().is_some_and(|url| url.is_secure()));
    match (cause, seen.asked_origin()) {
        (Cause::Unreported, _) if public.is_secure() || upgrades => report_tls(true),
        (Cause::Claim(line), _) => claim(line),
        (Cause::HostLost | Cause::Unreported, _) => keep_host(public, true),
        (Cause::HostKept, Some(origin)) => own_host(&origin.url),
        (Cause::Unknown, None) if hops.len() == 1 && public.is_secure() => {
            let mut fixes = report_tls(false);
            fixes.extend(keep_host(public, false));
            fixes
        }
        (Cause::Unknown, None) if hops.len() == 1 => keep_host(public, false),
        _ => vec![one_less(hops)],
    }
}

/// Returns the removal of one redirection.
fn one_less(hops: &[Exchange]) -> Fix {
    let last = hops.last().map(|last| last.url.to_string()).unwrap_or_default();
    let note = match hops.len() {
        1 => "in the application, or in the key redirect of a route of tidegate",
        _ => "or another one of these, in the application or in the key redirect of a route",
    };
    Fix::application(format!("remove the redirection from {last}"), note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Place;
    use crate::doctor::observations::OriginAsk;
    use crate::doctor::tests::{exchange, observations, origin};

    const SELF: &str = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://shop.example/\r\n\r\n";
    const PAGE: &str = "HTTP/1.1 200 OK\r\n\r\n";

    fn looping(answers: &[(OriginAsk, &str)]) -> Vec<Finding> {
        let public = "https://shop.example/";
        let mut seen = observations(exchange(public, SELF));
        seen.visit.end = VisitEnd::Loop(0);
        let answers: Vec<_> =
            answers.iter().map(|(ask, text)| (*ask, exchange(public, text))).collect();
        seen.origin = (!answers.is_empty()).then(|| origin(answers));
        check(&seen)
    }

    fn first_fix(found: &[Finding]) -> (Place, &str) {
        (found[0].fixes[0].at, &found[0].fixes[0].text)
    }

    #[test]
    fn loop_of_an_origin_that_is_not_told_of_tls() {
        let asked = [(OriginAsk::AsProxy, PAGE), (OriginAsk::Unreported, SELF)];
        let found = looping(&asked);
        assert_eq!(found[0].word, Word::RedirectLoop);
        assert_eq!(
            found[0].seen,
            ["https://shop.example/ redirects to https://shop.example/ (301)"]
        );
        assert_eq!(first_fix(&found), (Place::Tidegate, "trusted-proxy = 'ADDRESS'"));
    }

    #[test]
    fn loop_of_an_origin_that_is_told_by_another_field() {
        let line = "X-Forwarded-Ssl: on";
        let found = looping(&[(OriginAsk::AsProxy, SELF), (OriginAsk::Claim(line), PAGE)]);
        assert_eq!(first_fix(&found), (Place::Tidegate, "set-request = 'X-Forwarded-Ssl: on'"));
    }

    #[test]
    fn loop_of_an_origin_that_gets_its_own_host() {
        let asked =
            [(OriginAsk::AsProxy, PAGE), (OriginAsk::Unreported, PAGE), (OriginAsk::OwnHost, SELF)];
        assert_eq!(first_fix(&looping(&asked)), (Place::Tidegate, "host = 'preserve'"));
    }

    #[test]
    fn loop_of_an_unknown_origin_has_the_likely_fixes() {
        assert!(looping(&[]).iter().all(|finding| finding.fixes.len() == 5));
    }

    #[test]
    fn redirection_to_tls_that_is_not_served() {
        let mut seen = observations(exchange("http://shop.example/", SELF));
        seen.visit.end = VisitEnd::Unreachable("127.0.0.1:443 refuses connections".into());
        let found = check(&seen);
        assert_eq!(found[0].seen[1], "127.0.0.1:443 refuses connections");
        assert_eq!(first_fix(&found), (Place::Tidegate, "listen-tls = '0.0.0.0:443'"));
    }

    #[test]
    fn loop_of_two_urls_shows_both() {
        let there = "HTTP/1.1 301 Moved\r\nLocation: /a/\r\n\r\n";
        let back = "HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n";
        let mut seen = observations(exchange("http://shop.example/a", there));
        seen.visit.exchanges.push(exchange("http://shop.example/a/", back));
        seen.visit.end = VisitEnd::Loop(0);
        let found = check(&seen);
        assert_eq!(found[0].seen.len(), 2);
        assert_eq!(found[0].fixes[0].text, "remove the redirection from http://shop.example/a/");
    }
}
