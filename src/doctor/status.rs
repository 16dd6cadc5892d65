//! Checks of the status of the page, and of the origin that gives it.

use crate::http::Name;

use super::cause::{keep_host, own_host};
use super::finding::{Finding, Fix, Place, Word};
use super::observations::{Exchange, Observations, Origin, OriginAsk, VisitEnd};

/// Returns what is wrong if the page is an error, or if the origin does not answer.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let mut found: Vec<Finding> = seen.origin.as_ref().and_then(unreachable).into_iter().collect();
    let last = seen.last();
    if matches!(seen.visit.end, VisitEnd::Page) && last.status().code() >= 400 {
        let wrong = seen.origin.as_ref().and_then(|origin| wrong_host(last, origin));
        found.push(wrong.unwrap_or_else(|| error(last)));
    }
    found.extend(seen.unanswered.iter().map(|reason| {
        let more =
            Fix::new(Place::Shell, "tidegate doctor --max-time 5m", "if the site is only slow");
        Finding::new(Word::NoAnswer, reason, vec![more])
    }));
    found
}

fn unreachable(origin: &Origin) -> Option<Finding> {
    let failure = origin.failure.as_ref()?;
    let mut fixes = Vec::new();
    if let Some(remedy) = &failure.remedy {
        fixes.push(Fix::tidegate(remedy, "an option of tidegate"));
    }
    let to = format!("to = '{}://{}'", origin.url.scheme(), origin.url.authority());
    fixes.push(Fix::tidegate(to, "with the address at which the application listens; start it"));
    Some(Finding::new(Word::OriginUnreachable, &failure.text, fixes))
}

/// Returns the finding of an origin that gives the page to another `Host` than it gets.
fn wrong_host(last: &Exchange, origin: &Origin) -> Option<Finding> {
    let [by_site, by_own] = [OriginAsk::AsProxy, OriginAsk::OwnHost].map(|ask| origin.answer(ask));
    let (by_site, by_own) = (by_site?, by_own?);
    let is_well = |answer: &Exchange| answer.status().code() < 400;
    let is_as_seen = |answer: &Exchange| answer.status() == last.status();
    let fixes = match (is_well(by_site), is_well(by_own)) {
        (true, false) if is_as_seen(by_own) => keep_host(&last.url, true),
        (false, true) if is_as_seen(by_site) => own_host(&origin.url),
        _ => return None,
    };
    let seen = format!(
        "{} answers {}; its origin answers {} to Host: {} and {} to Host: {}",
        last.url,
        last.status().code(),
        by_site.status().code(),
        last.url.authority(),
        by_own.status().code(),
        origin.url.authority(),
    );
    Some(Finding::new(Word::WrongHost, seen, fixes))
}

fn error(last: &Exchange) -> Finding {
    let (url, status) = (&last.url, last.status());
    let mut seen = format!("{url} answers {} {}", status.code(), status.reason());
    if let Some(reason) = last.value(Name::ProxyStatus) {
        seen.push_str(&format!(" (Proxy-Status: {reason})"));
    }
    let fix = match status.code() {
        421 => Fix::tidegate(format!("hosts = '{}'", url.host()), "in the [[site]] that serves it"),
        401 | 407 => Fix::new(
            Place::Shell,
            "tidegate doctor URL",
            "with the URL of a page that needs no user",
        ),
        502..=504 => {
            Fix::new(Place::Shell, "tidegate origin list", "says which members fail, and why")
        }
        _ => Fix::new(
            Place::Shell,
            format!("tidegate explain --live {url}"),
            "says which route answers; or ask for a page that exists",
        ),
    };
    Finding::new(Word::ErrorStatus, seen, vec![fix])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{exchange, observations, origin};

    const PAGE: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const MISSING: &str = "HTTP/1.1 404 Not Found\r\n\r\n";

    fn found(by_site: &str, by_own: &str) -> Finding {
        let public = "http://shop.example/";
        let mut seen = observations(exchange(public, MISSING));
        seen.origin = Some(origin(vec![
            (OriginAsk::AsProxy, exchange(public, by_site)),
            (OriginAsk::OwnHost, exchange(public, by_own)),
        ]));
        check(&seen).remove(0)
    }

    #[test]
    fn origins_that_serve_another_host_are_found() {
        for (by_site, by_own, fix) in [
            (PAGE, MISSING, "host = 'preserve'"),
            (MISSING, PAGE, "host = 'origin'"),
            (MISSING, MISSING, "tidegate explain --live http://shop.example/"),
            (PAGE, PAGE, "tidegate explain --live http://shop.example/"),
        ] {
            assert_eq!(found(by_site, by_own).fixes[0].text, fix);
        }
        assert_eq!(found(PAGE, MISSING).word, Word::WrongHost);
        assert_eq!(found(MISSING, MISSING).word, Word::ErrorStatus);
    }

    #[test]
    fn errors_of_tidegate_name_its_reason() {
        let unknown = "HTTP/1.1 421 Misdirected Request\r\nProxy-Status: tidegate; error=x\r\n\r\n";
        let found = check(&observations(exchange("http://shop.example/", unknown)));
        assert_eq!(found[0].fixes[0].text, "hosts = 'shop.example'");
        assert!(found[0].seen[0].contains("tidegate; error=x"));
    }
}
