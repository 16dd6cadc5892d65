//! Checks of `Vary`: request fields that it names without need, and those that it lacks.

use crate::http::Name;

use super::caching::verdict;
use super::finding::{Finding, Fix, Word};
use super::observations::{Exchange, Observations, Probe};

/// Request fields that probes change.
const PROBED: [(Name, Probe); 3] = [
    (Name::UserAgent, Probe::OtherAgent),
    (Name::AcceptLanguage, Probe::OtherLanguage),
    (Name::Cookie, Probe::OtherCookie),
];

/// Returns what is wrong with the `Vary` of a page that caches may store.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let Some(page) = seen.page() else { return Vec::new() };
    let Ok(stored) = verdict(page) else { return Vec::new() };
    if stored.freshness.lifetime().0.is_zero() {
        return Vec::new(); // no cache answers by it
    }
    let named: Vec<Vec<u8>> = stored.selection.names().map(<[u8]>::to_vec).collect();
    let names = |name: Name| named.iter().any(|other| Name::from_bytes(other) == name);
    let is_stable = seen.probe(Probe::Again).is_some_and(|again| again.equals(page));
    let mut found = Vec::new();
    for (name, probe) in PROBED {
        let Some(other) = seen.probe(probe) else { continue };
        match names(name) {
            true if other.equals(page) => found.push(splits(page, name)),
            false if is_stable && is_answered(other) && !other.equals(page) => {
                found.push(missing(page, name, "another content"));
            }
            _ => {}
        }
    }
    let plain = seen.probe(Probe::Plain);
    let coding_differs =
        plain.is_some_and(|plain| is_answered(plain) && plain.is_coded() != page.is_coded());
    if coding_differs && !names(Name::AcceptEncoding) {
        found.push(missing(page, Name::AcceptEncoding, "another Content-Encoding"));
    }
    found
}

fn is_answered(exchange: &Exchange) -> bool {
    exchange.status().is_success()
}

fn splits(page: &Exchange, name: Name) -> Finding {
    let vary = page.value(Name::Vary).unwrap_or_default();
    let seen = format!(
        "{} has Vary: {vary}, and the same content for another {}",
        page.url,
        name.as_str()
    );
    let kept: Vec<_> =
        listed(&vary).filter(|other| !other.eq_ignore_ascii_case(name.as_str())).collect();
    let vary = if kept.is_empty() { "Accept-Encoding".to_owned() } else { kept.join(", ") };
    let note = match name {
        Name::Cookie => {
            "if users who have logged in get the same, too; otherwise Cache-Control: private"
        }
        Name::AcceptLanguage => "if other languages get the same, too",
        _ => "",
    };
    let fixes = vec![Fix::application(format!("Vary: {vary}"), note)];
    Finding::new(Word::VarySplits, seen, fixes)
}

fn missing(page: &Exchange, name: Name, difference: &str) -> Finding {
    let vary = page.value(Name::Vary).unwrap_or_default();
    let without = if vary.is_empty() { "no Vary".to_owned() } else { format!("Vary: {vary}") };
    let seen =
        format!("{} has {without}, but {difference} for another {}", page.url, name.as_str());
    let names: Vec<_> = listed(&vary).chain([name.as_str()]).collect();
    let fix = Fix::application(format!("Vary: {}", names.join(", ")), "");
    Finding::new(Word::VaryMissing, seen, vec![fix])
}

fn listed(vary: &str) -> impl Iterator<Item = &str> {
    vary.split(',').map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{exchange, observations};

    const COMMON: &str = "Cache-Control: max-age=60\r\nETag: \"1\"\r\n";

    fn page(fields: &str, content: &str) -> Exchange {
        exchange(
            "http://shop.example/",
            &format!("HTTP/1.1 200 OK\r\n{COMMON}{fields}\r\n{content}"),
        )
    }

    fn found(fields: &str, probe: Probe, other: Exchange) -> Vec<(Word, String)> {
        let mut seen = observations(page(fields, "text"));
        seen.probes.push((Probe::Again, page(fields, "text")));
        seen.probes.push((probe, other));
        let found = check(&seen).into_iter();
        found.map(|finding| (finding.word, finding.fixes[0].text.clone())).collect()
    }

    #[test]
    fn names_without_need_split_the_cache() {
        for (vary, probe, fix) in [
            ("Vary: Cookie\r\n", Probe::OtherCookie, "Vary: Accept-Encoding"),
            ("Vary: Accept-Encoding, user-agent\r\n", Probe::OtherAgent, "Vary: Accept-Encoding"),
            ("Vary: X, Accept-Language\r\n", Probe::OtherLanguage, "Vary: X"),
        ] {
            let found = found(vary, probe, page(vary, "text"));
            assert_eq!(found, [(Word::VarySplits, fix.to_owned())], "{vary}");
        }
        let vary = "Vary: Accept-Language\r\n";
        assert_eq!(found(vary, Probe::OtherLanguage, page(vary, "andere")), []);
    }

    #[test]
    fn names_that_vary_lacks_are_found() {
        let german = found("", Probe::OtherLanguage, page("", "andere"));
        assert_eq!(german, [(Word::VaryMissing, "Vary: Accept-Language".to_owned())]);
        let plain = found("Content-Encoding: gzip\r\n", Probe::Plain, page("", "plain"));
        assert_eq!(plain, [(Word::VaryMissing, "Vary: Accept-Encoding".to_owned())]);
        assert_eq!(found("", Probe::OtherLanguage, page("", "text")), []);
    }

    #[test]
    fn pages_that_change_by_themselves_are_no_evidence() {
        let mut seen = observations(page("", "1"));
        seen.probes.push((Probe::Again, page("", "2")));
        seen.probes.push((Probe::OtherLanguage, page("", "3")));
        assert_eq!(check(&seen), []);
    }
}
