//! Outlook: what the cache would do with a request.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cache::{Lookup, MissReason, Object, OriginFailure, ServeDecision};
use crate::coding::{Answer, Asker, Verdict};
use crate::http::{Method, RequestHead};
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::{Stored, TraceEvent};
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::Route;
use crate::proxy::settings::sites::site_route::Bypass;
use crate::proxy::shared::Shared;
use crate::time::Now;

/// Most stored responses in one explanation.
const MOST_SHOWN: usize = 64;

/// Findings about the cache and a request.
pub(super) struct Outlook {
    /// The key, the stored responses and the action of the cache.
    pub(super) findings: Vec<TraceEvent>,
    /// True if the response would be that of an origin.
    pub(super) asks_origin: bool,
}

/// Returns what the cache would do with a request that has a `route`. `is_reachable` is false if the origin
/// is known to fail.
pub(super) fn outlook(
    (request, record): (&Arc<RequestHead>, &ExchangeRecord),
    route: &Route,
    is_reachable: bool,
    now: Now,
    shared: &mut Shared,
) -> Outlook {
    if request.method() == Method::Connect {
        let findings = vec![TraceEvent::Looked("passed through a tunnel".into())];
        return Outlook { findings, asks_origin: true };
    }
    let policy = route.site().map(|site| &site.route.policy.cache);
    let mut presented = match policy.is_some_and(|policy| policy.ignore_no_cache) {
        true => shared.cache.keys().present_without_demands(request),
        false => shared.present(request),
    };
    let key = route.key(shared.cache.keys());
    let mut findings = vec![TraceEvent::Keyed(key.uri().into())];
    let mut answering = None;
    for object in shared.cache.stored(&key).take(MOST_SHOWN) {
        let selected = object.selection.fits(&mut presented);
        if selected {
            answering = Some(Arc::clone(object));
        }
        findings.push(TraceEvent::Stored(Stored::of(object, selected, now.mono)));
    }
    if let Some((reason, ago)) = shared.not_stored.get(&key, now.mono) {
        findings.push(TraceEvent::NotStored(reason, ago));
    }
    let upgrades = RequestFacts::of(request, None, &shared.settings).upgrade.is_some();
    let bypass = policy.and_then(|policy| policy.bypass(request));
    let (action, asks_origin) = match (upgrades, bypass) {
        (true, _) => (would(&Lookup::<()>::Miss(MissReason::Method)).into(), true),
        (false, Some(bypass)) => (passed_by(bypass), true),
        (false, None) => {
            let found = shared.cache.peek(&key, &mut presented, now.mono);
            action(&found, route, is_reachable, now, shared)
        }
    };
    findings.push(TraceEvent::Looked(action));
    let object = answering.filter(|_| bypass.is_none());
    findings.extend(
        object.and_then(|object| compression((request, record), &object, route, now, shared)),
    );
    Outlook { findings, asks_origin }
}

/// Returns what compression would do with a stored response; `None` if it is off.
fn compression(
    (request, record): (&RequestHead, &ExchangeRecord),
    object: &Object,
    route: &Route,
    now: Now,
    shared: &Shared,
) -> Option<TraceEvent> {
    let rules = route.site().map(|site| &site.route.policy);
    let policy = shared.settings.compression.policy(rules.map(|rules| &rules.compression))?;
    let head = match rules {
        Some(rules) => rules.response_fields.apply(&object.head),
        None => Cow::Borrowed(&object.head),
    };
    let answer = Answer {
        status: object.status,
        head: &head,
        original: &object.head,
        is_public: object.freshness().is_declared(now.mono),
    };
    let is_known = rules.is_some() && record.is_of_known_client();
    let verdict = policy.decide(Asker { request, is_known }, answer);
    Some(TraceEvent::Compressed(match verdict {
        Verdict::Coded(coding) => Ok((coding, object.coded(coding).is_some())),
        Verdict::Never(reason) | Verdict::NotHere(reason) => Err(reason.text()),
    }))
}

/// Returns what is done with a request for which the cache has `found` this, and true if an origin is
/// asked for the response.
fn action<F>(
    found: &Lookup<F>,
    route: &Route,
    is_reachable: bool,
    now: Now,
    shared: &Shared,
) -> (Cow<'static, str>, bool) {
    match found {
        Lookup::Hit(object, _) | Lookup::Stale(object, _) | Lookup::Partial(object, _)
            if !shared.may_reuse(route, object.origin_address) =>
        {
            let barred =
                "would fetch it: the stored response is from an address denied to this client";
            (barred.into(), true)
        }
        Lookup::Stale(object, decision)
            if !is_reachable
                && *decision != ServeDecision::ValidateForRequest
                && object.freshness().survives(
                    OriginFailure::Unreachable,
                    shared.settings.limits.stale_if_unreachable,
                    now.mono,
                ) =>
        {
            ("would answer with the stale response, since no origin can be used".into(), false)
        }
        Lookup::Hit(..) | Lookup::InFlight { .. } => (would(found).into(), false),
        Lookup::Stale(..) | Lookup::Partial(..) | Lookup::Miss(_) => (would(found).into(), true),
    }
}

/// Returns the text about a request that a rule of its route keeps from the cache.
fn passed_by(bypass: Bypass<'_>) -> Cow<'static, str> {
    match bypass {
        Bypass::Off => "would forward it: the cache is off (by the route)".into(),
        Bypass::Cookie(name) => {
            format!("would forward it: the cookie {name} bypasses the cache (by the route)").into()
        }
    }
}

/// Returns what the cache would do with a request.
const fn would<F>(found: &Lookup<F>) -> &'static str {
    match found {
        Lookup::Hit(_, ServeDecision::Fresh) => "would answer: the stored response is fresh",
        Lookup::Hit(_, ServeDecision::WhileRevalidating) => {
            "would answer with the stale response, and validate it in the background"
        }
        Lookup::Hit(..) => "would answer: the stored response is stale, but may be served",
        Lookup::Stale(_, ServeDecision::ValidateForRequest) => {
            "would validate the stored response, as the request demands"
        }
        Lookup::Stale(..) => "would validate the stored response",
        Lookup::Partial(..) => "would fetch the missing part of the stored response",
        Lookup::InFlight { .. } => "would wait for a fetch in flight",
        Lookup::Miss(MissReason::Uri) => "would fetch it: nothing is stored for this URL",
        Lookup::Miss(MissReason::Vary) => {
            "would fetch it: the stored responses are for other requests (Vary)"
        }
        Lookup::Miss(MissReason::Part) => "would fetch it: the stored response is incomplete",
        Lookup::Miss(MissReason::Method) => {
            "would forward it: responses to such a request are not stored"
        }
        Lookup::Miss(MissReason::Request) => "would forward it, as the request demands",
        Lookup::Miss(MissReason::Bypass) => "would forward it: the cache is off",
    }
}
