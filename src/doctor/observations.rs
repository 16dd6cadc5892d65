//! Observations of a site and its origin: the input of an examination.

use std::sync::Arc;
use std::time::Duration;

use crate::http::{Fields, Name, RequestHead, ResponseHead, Status};
use crate::time::Now;
use crate::x509::CertificateFacts;

use super::url::Url;

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// URL of the resource, as a browser knows it.
    pub url: Url,
    /// Request as it was sent.
    pub request: Arc<RequestHead>,
    /// Head of the final response.
    pub response: ResponseHead,
    /// First bytes of the content, in the coding of `Content-Encoding`.
    pub content: Vec<u8>,
    /// True if `content` is all of it.
    pub is_whole: bool,
    /// Time at which the request was sent.
    pub sent: Now,
    /// Time at which the first byte of the response was received.
    pub answered: Now,
}

impl Exchange {
    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.response.status()
    }

    /// Returns the fields of the response.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        self.response.fields()
    }

    /// Returns all lines of a response field as one list, if there is any.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<String> {
        let lines: Vec<_> = self.fields().all(name).map(String::from_utf8_lossy).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// Returns the time between the request and the first byte of the response.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.answered.mono.saturating_duration_since(self.sent.mono)
    }

    /// Returns true if the status sends a browser to another URL.
    #[must_use]
    pub const fn is_redirection(&self) -> bool {
        matches!(self.status().code(), 301 | 302 | 303 | 307 | 308)
    }

    /// Returns the URL to which the response sends a browser.
    #[must_use]
    pub fn redirects_to(&self) -> Option<Url> {
        if !self.is_redirection() {
            return None;
        }
        let location = self.fields().only(Name::Location)?;
        self.url.join(std::str::from_utf8(location).ok()?)
    }

    /// Returns the media type in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> String {
        let value = self.value(Name::ContentType).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Returns true if the content has a coding.
    #[must_use]
    pub fn is_coded(&self) -> bool {
        let mut codings = self.fields().elements(Name::ContentEncoding);
        codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
    }

    /// Returns true if both responses have the same status, coding and content.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.status() == other.status()
            && self.is_coded() == other.is_coded()
            && self.content == other.content
    }

    /// Returns true if a shared cache says that it has answered (RFC 9211 §2.1).
    #[must_use]
    pub fn is_hit(&self) -> bool {
        let is_hit = |cache: &[u8]| {
            let mut parts = cache.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            parts.any(|part| part == b"hit")
        };
        self.fields().elements(Name::CacheStatus).any(is_hit)
    }
}

/// The way of a browser from the URL that the operator gave to a page.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Exchanges in their order, at least one.
    pub exchanges: Vec<Exchange>,
    /// The end of the way.
    pub end: VisitEnd,
}

/// The end of a visit.
#[derive(Clone, Debug)]
pub enum VisitEnd {
    /// The last exchange has answered.
    Page,
    /// The last exchange redirects to the URL of this one, with the same cookies.
    Loop(usize),
    /// A browser follows no more redirections.
    TooMany,
    /// The last exchange redirects to a name that is not for browsers.
    Internal,
    /// The URL to which the last exchange redirects does not answer, for this reason.
    Unreachable(String),
}

/// A further request for the page, which differs from that of the visit in one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// No difference.
    Again,
    /// No content coding is accepted.
    Plain,
    /// Another browser.
    OtherAgent,
    /// Another language.
    OtherLanguage,
    /// A cookie that the site has not set, in place of those that it has.
    OtherCookie,
    /// The cookies that the site has set with the page.
    Cookies,
    /// `If-None-Match` or `If-Modified-Since` with the validator of the page.
    Conditional,
    /// A query that no cache has seen, and `no-cache`.
    Uncached,
}

/// The certificate of a server.
#[derive(Clone, Debug)]
pub struct SeenCertificate {
    /// Host that was asked.
    pub host: String,
    /// Facts, if the certificate can be read.
    pub facts: Option<CertificateFacts>,
    /// Word and text of the reason why browsers refuse the certificate.
    pub problem: Option<(&'static str, String)>,
    /// Time at which the certificate was seen.
    pub now: Now,
}

/// A way of asking the origin for the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginAsk {
    /// As a proxy asks that passes `Host` on and reports the client's scheme and host.
    AsProxy,
    /// The same without the report.
    Unreported,
    /// With the name of the origin as `Host`.
    OwnHost,
    /// As [`AsProxy`](Self::AsProxy), with this further field line about TLS.
    Claim(&'static str),
}

/// Answers of the origin itself.
#[derive(Clone, Debug)]
pub struct Origin {
    /// URL of the origin.
    pub url: Url,
    /// Exchanges by the way of asking.
    pub answers: Vec<(OriginAsk, Exchange)>,
    /// Reason why the origin cannot be asked.
    pub failure: Option<OriginFailure>,
}

/// Reason why an origin cannot be asked.
#[derive(Clone, Debug)]
pub struct OriginFailure {
    /// The reason, as a sentence without a full stop.
    pub text: String,
    /// Option of tidegate that would help, if there is one.
    pub remedy: Option<String>,
}

impl Origin {
    /// Returns the answer to a way of asking.
    #[must_use]
    pub fn answer(&self, ask: OriginAsk) -> Option<&Exchange> {
        self.answers.iter().find(|(asked, _)| *asked == ask).map(|(_, exchange)| exchange)
    }
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Observations {
    /// The way to the page.
    pub visit: Visit,
    /// Further requests for the page.
    pub probes: Vec<(Probe, Exchange)>,
    /// Style sheets, scripts and images of the page.
    pub assets: Vec<Exchange>,
    /// Paths of cookies below which the site has nothing.
    pub missing_paths: Vec<String>,
    /// Requests that were not answered although the first one was, each with the reason.
    pub unanswered: Vec<String>,
    /// Certificates of the site's hosts.
    pub certificates: Vec<SeenCertificate>,
    /// The origin, if the operator has named it.
    pub origin: Option<Origin>,
}

impl Observations {
    /// Returns the URL by which browsers know the site: that of the last exchange.
    #[must_use]
    pub fn public(&self) -> &Url {
        &self.last().url
    }

    /// Returns the last exchange of the visit.
    #[must_use]
    pub fn last(&self) -> &Exchange {
        &self.visit.exchanges[self.visit.exchanges.len() - 1]
    }

    /// Returns the page, if the visit has found one.
    #[must_use]
    pub fn page(&self) -> Option<&Exchange> {
        let found = matches!(self.visit.end, VisitEnd::Page) && self.last().status().is_success();
        found.then(|| self.last())
    }

    /// Returns the answer to a further request for the page.
    #[must_use]
    pub fn probe(&self, probe: Probe) -> Option<&Exchange> {
        self.probes.iter().find(|(asked, _)| *asked == probe).map(|(_, exchange)| exchange)
    }

    /// Returns the origin, if it has answered.
    pub(super) fn asked_origin(&self) -> Option<&Origin> {
        self.origin.as_ref().filter(|origin| origin.failure.is_none())
    }

    /// Returns true if the page is the same for different clients, as far as was asked.
    pub(super) fn is_page_shared(&self) -> bool {
        let same = |probe| match (self.page(), self.probe(probe)) {
            (Some(page), Some(other)) => page.equals(other),
            _ => false,
        };
        [Probe::Again, Probe::OtherAgent, Probe::OtherCookie].into_iter().all(same)
    }
}
