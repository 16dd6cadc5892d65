//! A response as input for the caching rules.

use std::time::{Duration, Instant, SystemTime};

use crate::http::{Fields, Name, Status, date, reference};
use crate::time::Now;

use super::control::{ResponseControl, withheld};
use super::freshness_rules::FreshnessRule;
use super::lifetime::LifetimeSource;
use super::targeted;

/// A response as received, or as updated by a 304.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The target URI, normalised.
    pub uri: &'a str,
    /// The status code.
    pub status: Status,
    /// The field lines.
    pub fields: &'a Fields,
    /// True if the content has a transfer coding that this proxy cannot decode.
    pub is_coded: bool,
    /// Names of the targeted fields that this cache obeys in place of `Cache-Control` (RFC 9213),
    /// most specific first.
    pub targets: &'a [Name],
    /// Freshness rules of the operator. The first that matches counts.
    pub rules: &'a [FreshnessRule],
    /// True if a response with `Set-Cookie` may be stored once it gives its lifetime (RFC 9111
    /// §7.3). If false, the response must also say that other clients may receive it.
    pub store_cookies: bool,
    /// Lifetime that the operator has given the response, whatever the origin says; the response is
    /// shared then, without `Set-Cookie`.
    pub forced: Option<Duration>,
    /// True if `Set-Cookie` is removed before the response is stored.
    pub drops_cookies: bool,
    /// Time at which the request was sent.
    pub sent: Instant,
    /// Time at which the response was received.
    pub now: Now,
}

impl Response<'_> {
    /// Returns the directives that apply to this cache.
    pub(super) fn control(&self) -> ResponseControl {
        if let Some(lifetime) = self.forced {
            return ResponseControl::forced(lifetime);
        }
        let targeted = targeted::control(self.fields, self.targets);
        targeted.unwrap_or_else(|| ResponseControl::of(self.fields))
    }

    /// Returns true if the response may be stored although its request had credentials (RFC 9111 §3.5).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.control().permits_credentials()
    }

    /// Returns true if the response may be shared together with its cookie, or says that the cookie
    /// is not to be stored.
    pub(super) fn shares_cookies(&self, control: &ResponseControl) -> bool {
        let shared = control.public || control.s_maxage.is_some() || control.is_targeted;
        shared || (control.withholds() && withheld(self.fields).contains(b"set-cookie"))
    }

    /// Returns the lifetime that the response gives, with its source (§4.2.1).
    fn said_lifetime(&self, control: &ResponseControl) -> Option<(Duration, LifetimeSource)> {
        let of = |by: LifetimeSource| move |lifetime| (lifetime, by);
        let expires = || if control.is_targeted { None } else { self.expiry() };
        let shared = match self.forced {
            Some(_) => LifetimeSource::Route,
            None => LifetimeSource::SharedMaxAge,
        };
        let shared = control.s_maxage.map(of(shared));
        let max_age = control.max_age.map(of(LifetimeSource::MaxAge));
        shared.or(max_age).or_else(|| expires().map(of(LifetimeSource::Expires)))
    }

    /// Returns the lifetime that the response or the operator's rule gives, with its source.
    pub(super) fn explicit_lifetime(
        &self,
        control: &ResponseControl,
    ) -> Option<(Duration, LifetimeSource)> {
        let said = self.said_lifetime(control);
        let Some(rule) = self.rule() else { return said };
        let lifetime = rule.lifetime(said.map(|(lifetime, _)| lifetime))?;
        let kept = said.filter(|&(said, _)| said == lifetime);
        Some(kept.unwrap_or((lifetime, LifetimeSource::Rule)))
    }

    /// Returns the lifetime by `Expires`. An invalid date counts as past.
    fn expiry(&self) -> Option<Duration> {
        self.fields.has(Name::Expires).then(|| {
            let expires = self.fields.only(Name::Expires).and_then(date::parse_relaxed);
            expires.and_then(|at| at.duration_since(self.date()).ok()).unwrap_or_default()
        })
    }

    /// Returns true if this response to a POST stands for a GET of the same URI (RFC 9110 §9.3.3):
    /// its `Content-Location` is the target URI, and it gives its lifetime.
    pub(super) fn represents_target(&self) -> bool {
        let named = self.fields.only(Name::ContentLocation);
        let named = named.and_then(|value| std::str::from_utf8(value).ok());
        let named = named.and_then(|named| reference::resolve(self.uri, named));
        self.status == Status::OK
            && named.as_deref() == Some(self.uri)
            && self.said_lifetime(&self.control()).is_some()
    }

    /// Returns the operator's rule for the response.
    pub(super) fn rule(&self) -> Option<&FreshnessRule> {
        self.rules.iter().find(|rule| rule.is_for(self.uri, self.status.code()))
    }

    /// Returns the date of origination, or of reception if `Date` is missing or invalid.
    pub(super) fn date(&self) -> SystemTime {
        self.fields.only(Name::Date).and_then(date::parse_relaxed).unwrap_or(self.now.wall)
    }
}
