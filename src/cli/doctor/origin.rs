//! Requests to the origin itself, as different proxies would send them.

use crate::doctor::{
    Exchange, Jar, OTHER_CLAIMS, Origin, OriginAsk, OriginFailure, Url, ignores_tls,
};

use super::browser::{self, Line};
use super::client::{Ask, Client, Server};

/// Asks the origin at `url` for the page that browsers know as `public`.
pub(super) fn ask(client: &mut Client, url: &Url, public: &Url) -> Origin {
    let mut origin = Origin { url: url.clone(), answers: Vec::new(), failure: None };
    let plain =
        browser::with(browser::fields(public, &Jar::default()), "Accept-Encoding", "identity");
    let reported = [plain.clone(), browser::report(public)].concat();
    let own = browser::with(reported.clone(), "Host", url.authority());
    let mut asks = vec![
        (OriginAsk::AsProxy, reported.clone()),
        (OriginAsk::Unreported, plain),
        (OriginAsk::OwnHost, own),
    ];
    // Later ways are the first to be taken from the end.
    asks.reverse();
    while let Some((way, fields)) = asks.pop() {
        let Some(answer) = answer(client, &mut origin, public, &fields) else { return origin };
        if way == OriginAsk::AsProxy && ignores_tls(&answer) {
            let claims =
                OTHER_CLAIMS.iter().map(|line| (OriginAsk::Claim(line), claiming(&reported, line)));
            asks.splice(0..0, claims);
        }
        let helps = matches!(way, OriginAsk::Claim(_)) && !ignores_tls(&answer);
        origin.answers.push((way, answer));
        if helps {
            break;
        }
    }
    origin
}

/// Returns the fields with a further line.
fn claiming(fields: &[Line], line: &'static str) -> Vec<Line> {
    let claim = line.split_once(": ").map(|(name, value)| (name, value.to_owned()));
    fields.iter().cloned().chain(claim).collect()
}

/// Returns the answer of the origin; `None` if it cannot be asked.
fn answer(
    client: &mut Client,
    origin: &mut Origin,
    public: &Url,
    fields: &[Line],
) -> Option<Exchange> {
    let url = &origin.url;
    let target = format!("{}{}", url.path().trim_end_matches('/'), public.target());
    let server = Server {
        name: url.host().to_owned(),
        address: (url.host().to_owned(), url.port()),
        is_secure: url.is_secure(),
        is_strict: true,
    };
    match client.get(&Ask { url: public, target: &target, server: &server, fields }) {
        Ok(exchange) => Some(exchange),
        Err(failure) => {
            let remedy = failure.remedy().map(|remedy| remedy.replace("HOST", url.host()));
            let text = format!("{url}: {failure}");
            origin.failure = Some(OriginFailure { text, remedy });
            None
        }
    }
}
