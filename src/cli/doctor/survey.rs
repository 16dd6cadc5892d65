//! The requests of an examination, in their order.

use crate::cli::args::doctor::DoctorRequest;
use crate::doctor::{
    Exchange, Jar, Link, Observations, Probe, Url, Visit, VisitEnd, doubtful_paths, is_internal,
    links,
};
use crate::http::Name;
use crate::reactor::{Clock, SystemClock};

use super::browser::{self, Line};
use super::client::{Ask, Client, Server};
use super::failure::Failure;
use super::origin;

/// Most redirections that a browser follows.
const MOST_REDIRECTIONS: usize = 20;
/// Most parts of a page that are asked, of each element.
const MOST_ASSETS: usize = 2;
/// Most paths of cookies that are asked.
const MOST_PATHS: usize = 3;

/// A survey of a site in progress.
pub(super) struct Survey<'a> {
    request: &'a DoctorRequest,
    client: Client,
    jar: Jar,
    /// Fields of the last request of the visit.
    fields: Vec<Line>,
    unanswered: Vec<String>,
}

/// Asks a site, and its origin if that is named. Returns what was seen, and the number of requests.
///
/// # Errors
/// A message if the site cannot be asked at all.
pub(super) fn survey(request: &DoctorRequest) -> Result<(Observations, usize), String> {
    let client = Client::new(request)?;
    let (jar, fields, unanswered) = (Jar::default(), Vec::new(), Vec::new());
    let mut survey = Survey { request, client, jar, fields, unanswered };
    let visit = survey.visit()?;
    let mut seen = Observations {
        visit,
        probes: Vec::new(),
        assets: Vec::new(),
        missing_paths: Vec::new(),
        unanswered: Vec::new(),
        certificates: Vec::new(),
        origin: None,
    };
    if let Some(page) = seen.page().cloned() {
        seen.probes = survey.probes(&page);
        seen.assets = survey.assets(seen.probe(Probe::Plain).unwrap_or(&page));
        seen.missing_paths = survey.missing_paths(&page, seen.probe(Probe::Cookies));
    }
    // The origin's certificate is none of the site's.
    seen.certificates = survey.client.certificates.clone();
    if let Some(url) = &request.origin {
        seen.origin = Some(origin::ask(&mut survey.client, url, seen.public()));
    }
    seen.unanswered = survey.unanswered;
    Ok((seen, survey.client.requests))
}

impl Survey<'_> {
    /// Follows redirections from the URL of the operator to a page.
    fn visit(&mut self) -> Result<Visit, String> {
        let asked = &self.request.url;
        self.fields = browser::fields(asked, &self.jar);
        let fields = self.fields.clone();
        let first = self.get(asked, &fields).map_err(|failure| {
            format!("{asked} cannot be asked: {failure}; {}", failure.advice())
        })?;
        let mut steps = vec![(asked.clone(), fields)];
        let mut exchanges = vec![first];
        let end = loop {
            let last = &exchanges[exchanges.len() - 1];
            self.jar.keep(last);
            let Some(url) = last.redirects_to() else {
                match last.is_redirection() {
                    true => {
                        break VisitEnd::Unreachable("Location names no http(s) URL".to_owned());
                    }
                    false => break VisitEnd::Page,
                }
            };
            if is_internal(&url, asked, self.request.origin.as_ref()) {
                break VisitEnd::Internal;
            }
            let step = (url.clone(), browser::fields(&url, &self.jar));
            if let Some(at) = steps.iter().position(|known| *known == step) {
                break VisitEnd::Loop(at);
            }
            if exchanges.len() > MOST_REDIRECTIONS {
                break VisitEnd::TooMany;
            }
            match self.get(&step.0, &step.1) {
                Ok(exchange) => exchanges.push(exchange),
                Err(failure) => break VisitEnd::Unreachable(failure.to_string()),
            }
            self.fields.clone_from(&step.1);
            steps.push(step);
        };
        Ok(Visit { exchanges, end })
    }

    /// Asks for the page again, each time with one difference.
    fn probes(&mut self, page: &Exchange) -> Vec<(Probe, Exchange)> {
        let url = &page.url;
        let fields = self.fields.clone();
        let with = |name, value: &str| browser::with(fields.clone(), name, value);
        let mut asks = vec![
            (Probe::Plain, url.clone(), with("Accept-Encoding", "identity")),
            (Probe::OtherAgent, url.clone(), browser::of_other_agent(fields.clone())),
            (Probe::OtherLanguage, url.clone(), with("Accept-Language", "de")),
            (Probe::OtherCookie, url.clone(), with("Cookie", "tidegate-doctor=1")),
            (Probe::Uncached, uncached(url), with("Cache-Control", "no-cache")),
        ];
        if let Some(condition) = condition(page) {
            let conditional = fields.iter().cloned().chain([condition]).collect();
            asks.push((Probe::Conditional, url.clone(), conditional));
        }
        asks.push((Probe::Cookies, url.clone(), browser::fields(url, &self.jar)));
        // The last request is equal to the first: a page that has changed between them is noticed.
        asks.push((Probe::Again, url.clone(), fields.clone()));
        let mut answers = Vec::new();
        for (probe, url, fields) in asks {
            answers.extend(self.further(&url, &fields).map(|answer| (probe, answer)));
        }
        answers
    }

    /// Asks for some style sheets, scripts and images of a page that belong to its host. The second answer
    /// counts, which a cache may have given.
    fn assets(&mut self, page: &Exchange) -> Vec<Exchange> {
        if page.is_coded() {
            return Vec::new();
        }
        let mut chosen: Vec<(Link, Url)> = Vec::new();
        for link in links(&page.content).into_iter().filter(Link::is_asset) {
            let Some(url) = page.url.join(&link.reference) else { continue };
            let is_own =
                url.authority() == page.url.authority() && url.scheme() == page.url.scheme();
            let is_new = chosen.iter().all(|(_, known)| *known != url);
            let alike = chosen.iter().filter(|(known, _)| known.element == link.element);
            if is_own && is_new && alike.count() < MOST_ASSETS {
                chosen.push((link, url));
            }
        }
        let asked = chosen.into_iter().filter_map(|(_, url)| {
            let fields = browser::with(browser::fields(&url, &self.jar), "Accept", "*/*");
            self.further(&url, &fields)?;
            self.further(&url, &fields)
        });
        asked.collect()
    }

    /// Returns the paths of cookies below which the site has nothing.
    fn missing_paths(&mut self, page: &Exchange, again: Option<&Exchange>) -> Vec<String> {
        let doubtful = again.map(|again| doubtful_paths(page, again)).unwrap_or_default();
        let missing = doubtful.into_iter().take(MOST_PATHS).filter_map(|(path, url)| {
            let answer = self.further(&url, &browser::fields(&url, &self.jar))?;
            matches!(answer.status().code(), 404 | 410).then_some(path)
        });
        missing.collect()
    }

    /// Sends a further request. One that is not answered is noted.
    fn further(&mut self, url: &Url, fields: &[Line]) -> Option<Exchange> {
        match self.get(url, fields) {
            Ok(exchange) => Some(exchange),
            Err(failure) => {
                self.unanswered.push(format!("{url} is not answered again: {failure}"));
                None
            }
        }
    }

    fn get(&mut self, url: &Url, fields: &[Line]) -> Result<Exchange, Failure> {
        let server = self.server(url);
        self.client.get(&Ask { url, target: url.target(), server: &server, fields })
    }

    /// Returns the server of a URL. The address that the operator gives is that of the host that the
    /// operator asks, and its port stands for that of the URL asked.
    fn server(&self, url: &Url) -> Server {
        let asked = &self.request.url;
        let address = match &self.request.connect {
            Some((host, port)) if url.has_host_of(asked) => {
                let port = if url.port() == asked.port() { *port } else { url.port() };
                (host.clone(), port)
            }
            _ => (url.host().to_owned(), url.port()),
        };
        let (name, is_secure) = (url.host().to_owned(), url.is_secure());
        Server { name, address, is_secure, is_strict: false }
    }
}

/// Returns the URL with a query that no cache has seen.
fn uncached(url: &Url) -> Url {
    let separator = if url.target().contains('?') { '&' } else { '?' };
    let now = SystemClock.now().unix_seconds();
    url.with_target(&format!("{}{separator}tidegate-doctor={now}", url.target()))
}

/// Returns the condition by which a browser validates a page.
fn condition(page: &Exchange) -> Option<Line> {
    let value = |name| page.value(name);
    let tag = value(Name::ETag).map(|tag| ("If-None-Match", tag));
    tag.or_else(|| Some(("If-Modified-Since", value(Name::LastModified)?)))
}
