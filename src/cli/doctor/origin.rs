//! Requests to the origin itself, as different proxies would send them.

use crate::doctor::{
    Exchange, Jar, OTHER_CLAIMS, Origin, OriginAsk, OriginFailure, Url, ignores_tls,
};

use super::browser::{self, Line};
use super::client::{Ask, Client, Server};
use super::failure::Failure;

/// Asks the origin at `url` for the page that browsers know as `public`.
pub(super) fn ask(client: &mut Client, url: &Url, public: &Url) -> Origin {
    let mut answers = Vec::new();
    let asked = ask_each_way(client, url, public, &mut answers);
    let failure = asked.err().map(|failure| OriginFailure {
        text: format!("{url}: {failure}"),
        remedy: failure.remedy().map(|remedy| remedy.replace("HOST", url.host())),
    });
    Origin { url: url.clone(), answers, failure }
}

/// Asks the origin in several ways, and adds its answers. Other fields about TLS are tried until one
/// helps, if the usual ones do not.
fn ask_each_way(
    client: &mut Client,
    url: &Url,
    public: &Url,
    answers: &mut Vec<(OriginAsk, Exchange)>,
) -> Result<(), Failure> {
    let fields = browser::fields(public, &Jar::default());
    let unreported = browser::with(fields, "Accept-Encoding", "identity");
    let reported = [unreported.clone(), browser::report(public)].concat();
    let own_host = browser::with(reported.clone(), "Host", url.authority());
    let mut ask = |way, fields: &[Line]| {
        let answer = get(client, url, public, fields)?;
        let ignores_tls = ignores_tls(&answer);
        answers.push((way, answer));
        Ok(ignores_tls)
    };
    let ignores_report = ask(OriginAsk::AsProxy, &reported)?;
    ask(OriginAsk::Unreported, &unreported)?;
    ask(OriginAsk::OwnHost, &own_host)?;
    for line in OTHER_CLAIMS.iter().filter(|_| ignores_report) {
        if !ask(OriginAsk::Claim(line), &claiming(&reported, line))? {
            break;
        }
    }
    Ok(())
}

/// Returns the fields with a further line.
fn claiming(fields: &[Line], line: &'static str) -> Vec<Line> {
    let claim = line.split_once(": ").map(|(name, value)| (name, value.to_owned()));
    fields.iter().cloned().chain(claim).collect()
}

/// Returns the answer of the origin, below the path of its URL.
fn get(client: &mut Client, url: &Url, public: &Url, fields: &[Line]) -> Result<Exchange, Failure> {
    let target = format!("{}{}", url.path().trim_end_matches('/'), public.target());
    let server = Server {
        name: url.host().to_owned(),
        address: (url.host().to_owned(), url.port()),
        is_secure: url.is_secure(),
        is_strict: true,
    };
    client.get(&Ask { url: public, target: &target, server: &server, fields })
}
