//! A response, as the cache judges it before it is stored.

use std::time::{Duration, Instant, SystemTime};

use crate::http::{Fields, Name, Status, date, reference};
use crate::time::Now;

use super::control::{ResponseControl, withheld};
use super::freshness_rules::FreshnessRule;
use super::lifetime::LifetimeSource;
use super::targeted;

/// A response as it came, or as it is after a 304.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The target URI, normalised.
    pub uri: &'a str,
    /// The status.
    pub status: Status,
    /// The fields.
    pub fields: &'a Fields,
    /// Whether its content has a transfer coding that cannot be undone here.
    pub is_coded: bool,
    /// The fields that speak to this cache instead of `Cache-Control` (RFC 9213), most specific
    /// first.
    pub targets: &'a [Name],
    /// The operator's rules, of which the first that is for it counts.
    pub rules: &'a [FreshnessRule],
    /// True if a response with a cookie may be stored because it says how long it is fresh (RFC 9111
    /// §7.3); false if it also has to say that it is for other clients.
    pub store_cookies: bool,
    /// When the request was sent.
    pub sent: Instant,
    /// When the response came.
    pub now: Now,
}

impl Response<'_> {
    /// What it says to this cache.
    pub(super) fn control(&self) -> ResponseControl {
        let targeted = targeted::control(self.fields, self.targets);
        targeted.unwrap_or_else(|| ResponseControl::of(self.fields))
    }

    /// Returns true if it says that it is for other clients with its cookie, or that the cookie is not
    /// to be stored.
    pub(super) fn shares_cookies(&self, control: &ResponseControl) -> bool {
        let shared = control.public || control.s_maxage.is_some() || control.is_targeted;
        shared || (control.withholds() && withheld(self.fields).contains(b"set-cookie"))
    }

    /// How long it is fresh if it says so (§4.2.1).
    fn said_lifetime(&self, control: &ResponseControl) -> Option<(Duration, LifetimeSource)> {
        let of = |by: LifetimeSource| move |lifetime| (lifetime, by);
        let expires = || if control.is_targeted { None } else { self.expiry() };
        let shared = control.s_maxage.map(of(LifetimeSource::SharedMaxAge));
        let max_age = control.max_age.map(of(LifetimeSource::MaxAge));
        shared.or(max_age).or_else(|| expires().map(of(LifetimeSource::Expires)))
    }

    /// How long it is fresh if it says so, or the operator.
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

    /// The lifetime that `Expires` gives. A date that cannot be read is past.
    fn expiry(&self) -> Option<Duration> {
        self.fields.has(Name::Expires).then(|| {
            let expires = self.fields.only(Name::Expires).and_then(date::parse_relaxed);
            expires.and_then(|at| at.duration_since(self.date()).ok()).unwrap_or_default()
        })
    }

    /// Whether it, in answer to a POST, is what a GET would have brought (RFC 9110 §9.3.3): it says
    /// that it is of the same URI, and how long it is fresh.
    pub(super) fn is_what_a_get_brings(&self) -> bool {
        let named = self.fields.only(Name::ContentLocation);
        let named = named.and_then(|value| std::str::from_utf8(value).ok());
        let named = named.and_then(|named| reference::resolve(self.uri, named));
        self.status == Status::OK
            && named.as_deref() == Some(self.uri)
            && self.said_lifetime(&self.control()).is_some()
    }

    /// The operator's rule for it.
    pub(super) fn rule(&self) -> Option<&FreshnessRule> {
        self.rules.iter().find(|rule| rule.is_for(self.uri, self.status.code()))
    }

    /// When it was sent, as far as is known.
    pub(super) fn date(&self) -> SystemTime {
        self.fields.only(Name::Date).and_then(date::parse_relaxed).unwrap_or(self.now.wall)
    }
}
