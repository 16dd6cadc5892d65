//! Checks of the names by which a site mentions itself.

use super::cause::{Cause, base_url, claim, keep_host, report_tls};
use super::finding::{Finding, Fix, Place, Word};
use super::mentions::{Mention, internal_mentions, is_page, plain_mentions};
use super::observations::{Exchange, Observations, Probe, VisitEnd};
use super::url::Url;

/// Returns mentions of internal names, and of the site without TLS.
pub(super) fn check(seen: &Observations) -> Vec<Finding> {
    let page = seen.probe(Probe::Plain).filter(|plain| is_page(plain));
    let responses: Vec<_> = seen.visit.exchanges.iter().chain(page).collect();
    let mut found: Vec<Finding> =
        responses.iter().filter_map(|response| internal_names(response, seen)).collect();
    // A loop has a finding of its own.
    if !matches!(seen.visit.end, VisitEnd::Loop(_)) {
        found.extend(responses.iter().filter_map(|response| plain_names(response, seen)));
    }
    found
}

fn internal_names(response: &Exchange, seen: &Observations) -> Option<Finding> {
    let origin = seen.origin.as_ref().map(|origin| &origin.url);
    let public = &response.url;
    let found = internal_mentions(response, origin);
    let has_some = |answer: &Exchange| !internal_mentions(answer, origin).is_empty();
    let cause = Cause::of(seen.asked_origin(), has_some);
    finding(Word::InternalName, public, &found, || match cause {
        Cause::HostLost => keep_host(public, true),
        Cause::Unreported => {
            let mut fixes = keep_host(public, true);
            fixes.push(report_host(public));
            fixes
        }
        Cause::Unknown if seen.asked_origin().is_none() => {
            let mut fixes = keep_host(public, false);
            fixes.push(base_url(public));
            fixes
        }
        _ => vec![base_url(public)],
    })
}

fn plain_names(response: &Exchange, seen: &Observations) -> Option<Finding> {
    let found = plain_mentions(response);
    let public = &response.url;
    let cause = Cause::of(seen.asked_origin(), |answer| !plain_mentions(answer).is_empty());
    // Links of a text may be old; those of a page that changes with the report are not.
    let is_told = matches!(cause, Cause::Unreported | Cause::Claim(_));
    if !is_told && found.iter().all(|mention| mention.is_anchor) {
        return None;
    }
    finding(Word::ForwardedProto, public, &found, || match cause {
        Cause::Unreported => report_tls(true),
        Cause::Claim(line) => claim(line),
        Cause::Unknown if seen.asked_origin().is_none() => {
            let mut fixes = report_tls(false);
            fixes.push(base_url(public));
            fixes
        }
        _ => vec![base_url(public)],
    })
}

/// Returns the field that tells an application the host of clients.
fn report_host(public: &Url) -> Fix {
    let line = format!("X-Forwarded-Host: {}", public.authority());
    Fix::new(Place::Proxy, line, "tidegate sends it by itself")
}

/// Returns a finding with the mentions as evidence, if there are any.
fn finding(
    word: Word,
    public: &Url,
    found: &[Mention],
    fixes: impl Fn() -> Vec<Fix>,
) -> Option<Finding> {
    let line = |mention: &Mention| format!("{public} has {}", mention.place);
    let (first, others) = found.split_first()?;
    let mut finding = Finding::new(word, line(first), fixes());
    for other in others {
        finding.seen.extend(Finding::new(word, line(other), Vec::new()).seen);
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::observations::OriginAsk;
    use crate::doctor::tests::{exchange, observations, origin};

    const SITE: &str = "https://shop.example/";

    fn page(html: &str) -> Exchange {
        exchange(SITE, &format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{html}"))
    }

    fn found(html: &str, answers: &[(OriginAsk, &str)]) -> Vec<(Word, String)> {
        let mut seen = observations(page(html));
        let answers: Vec<_> = answers.iter().map(|(ask, html)| (*ask, page(html))).collect();
        seen.origin = (!answers.is_empty()).then(|| origin(answers));
        let found = check(&seen).into_iter();
        found.map(|finding| (finding.word, finding.fixes[0].text.clone())).collect()
    }

    #[test]
    fn internal_names_have_the_fix_of_their_cause() {
        use OriginAsk::{AsProxy, OwnHost, Unreported};
        let (bad, good) = ("<script src=http://app.internal:9000/x></script>", "<p>");
        for (answers, fix) in [
            (&[][..], "host = 'preserve'"),
            (&[(AsProxy, good), (Unreported, good), (OwnHost, bad)], "host = 'preserve'"),
            (&[(AsProxy, bad), (OwnHost, bad)], "https://shop.example"),
        ] {
            assert_eq!(found(bad, answers), [(Word::InternalName, fix.to_owned())], "{answers:?}");
        }
        assert_eq!(found(good, &[]), []);
    }

    #[test]
    fn plain_links_of_a_text_need_the_word_of_the_origin() {
        use OriginAsk::{AsProxy, Unreported};
        let link = "<a href=http://shop.example/old>old</a>";
        assert_eq!(found(link, &[]), []);
        assert_eq!(found(link, &[(AsProxy, link), (Unreported, link)]), []);
        let image = "<img src=http://shop.example/x.png>";
        for (html, answers) in [(link, &[(AsProxy, "<p>"), (Unreported, link)][..]), (image, &[])] {
            let expected = (Word::ForwardedProto, "trusted-proxy = 'ADDRESS'".to_owned());
            assert_eq!(found(html, answers), [expected], "{html}");
        }
    }
}
