//! Where a request goes: read from its target, its Host and the settings. Pure.

pub(super) mod client_address;
pub(super) mod local_addresses;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::access::{Host, Judgement, RuleName};
use crate::auth;
use crate::http::{Authority, Form, Method, Name, RequestHead, hop};
use crate::proxy::auth::path_of;
use crate::proxy::error::{ExchangeError, Unserved};
use crate::proxy::observe::event::Event;
use crate::proxy::observe::journal::Journal;
use crate::proxy::origin::pool::OriginKey;
use crate::proxy::settings::Settings;
use crate::proxy::settings::origin::{ReverseOrigin, authority_text};
use crate::proxy::shared::Core;

use client_address::Behind;
use local_addresses::Own;

/// Where a request goes and as what.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// What to look up, judge and dial.
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) origin: OriginKey,
    /// The target URI, normalised: the cache's key and what the log shows. For CONNECT host and port.
    pub(super) uri: Arc<str>,
    /// Where in it the authority stands; path and query follow.
    authority: Range<usize>,
    /// The target sent to the origin, if it is not path and query.
    target: Option<String>,
    /// The Host sent to the origin, if it is not the authority.
    host_field: Option<String>,
    /// What its addresses are judged by; a reverse proxy's origin was chosen by its operator.
    pub(super) judgement: Option<Judgement>,
}

impl Route {
    /// Host and port of the target URI.
    pub(super) fn authority(&self) -> &str {
        &self.uri[self.authority.clone()]
    }

    /// Scheme and authority of the target URI.
    pub(super) fn root(&self) -> &str {
        &self.uri[..self.authority.end]
    }

    /// The target sent to the origin.
    pub(super) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_else(|| &self.uri[self.authority.end..])
    }

    /// Whether `address`, which the host has, may be dialled; if so, the rule that would have denied it
    /// if it were not only written down.
    pub(super) fn judge(
        &self,
        address: IpAddr,
        core: &Core,
    ) -> Result<Option<RuleName>, ExchangeError> {
        self.judge_by(address, &core.settings, &core.own)
    }

    /// The same by `settings`, and what is known of this machine.
    pub(super) fn judge_by(
        &self,
        address: IpAddr,
        settings: &Settings,
        own: &Own,
    ) -> Result<Option<RuleName>, ExchangeError> {
        let Some(judgement) = &self.judgement else { return Ok(None) };
        let judged = settings.destinations.judge(judgement, &self.host, address, own.known()?);
        judged.map_err(ExchangeError::Denied)
    }

    /// Whether what was fetched `from` an address for somebody else may be served to who asks now: a
    /// name may have led others to where this client may not go.
    pub(super) fn may_have(&self, from: Option<IpAddr>, core: &Core) -> bool {
        from.is_none_or(|address| self.judge(address, core).is_ok())
    }

    /// The Host sent to the origin.
    pub(super) fn host_field(&self) -> &str {
        self.host_field.as_deref().unwrap_or_else(|| self.authority())
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(super) enum Routed {
    /// Fetch, or answer from the cache.
    Fetch(Route),
    /// Connect and step aside.
    Tunnel(Route),
    /// Answer it here: OPTIONS or TRACE that goes no further (RFC 9110 §7.6.2).
    Here,
}

/// Routes the request whose journal it is. `own` says what this machine is itself.
pub(super) fn route(
    request: &RequestHead,
    journal: &mut Journal,
    settings: &Settings,
    own: &Own,
) -> Result<Routed, ExchangeError> {
    let client = journal.client.ip();
    if !settings.admits(client) {
        return Err(ExchangeError::ClientDenied(client.to_canonical()));
    }
    if hop::has_passed(request.fields(), &settings.via) {
        return Err(ExchangeError::Loop);
    }
    if has_arrived(request) {
        return Ok(Routed::Here);
    }
    match &settings.reverse {
        Some(origin) => {
            let behind = Behind::of(client, request.fields(), settings);
            let route = to_origin(request, origin, &behind)?;
            journal.note(Event::Routed(Arc::clone(&route.uri)));
            Ok(Routed::Fetch(route))
        }
        None => forward(request, journal, settings, own),
    }
}

/// Whether `Max-Forwards` says that the request goes no further.
fn has_arrived(request: &RequestHead) -> bool {
    let limited = matches!(request.method(), Method::Options | Method::Trace);
    limited && max_forwards(request) == Some(0)
}

/// The value of `Max-Forwards`; one that is no number is ignored, as one on other methods is.
pub(super) fn max_forwards(request: &RequestHead) -> Option<u64> {
    let value = request.fields().only(Name::MaxForwards)?;
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn forward(
    request: &RequestHead,
    journal: &mut Journal,
    settings: &Settings,
    own: &Own,
) -> Result<Routed, ExchangeError> {
    let unserved = |what| Err(ExchangeError::Unserved(what));
    let connect = request.method() == Method::Connect;
    let authority = match (request.form(), request.authority()) {
        (Form::Asterisk, _) => return Ok(Routed::Here),
        (Form::Authority | Form::Absolute, Some(authority)) => authority,
        _ => return unserved(Unserved::OriginForm),
    };
    if !connect && !request.scheme().eq_ignore_ascii_case("http") {
        let https = request.scheme().eq_ignore_ascii_case("https");
        return unserved(if https { Unserved::Https } else { Unserved::Scheme });
    }
    let Ok(host) = Host::parse(authority.host) else { return unserved(Unserved::Host) };
    journal.trace(|| Event::Read(authority.host.to_owned(), host.clone()));
    let port = authority.port.unwrap_or(80);
    let asker = journal.asker(request);
    let judged = settings.destinations.ask(&asker, &host, port, own.known()?);
    let judgement = judged.map_err(ExchangeError::Denied)?;
    if let Some(rule) = judgement.reported() {
        journal.note(Event::Reported(rule.clone()));
    }
    let text = authority_text(&host, port, (!connect).then_some(80));
    let (uri, span) = if connect {
        (Arc::from(text.as_str()), 0..text.len())
    } else {
        target_uri("http", &text, request.path_and_query())
    };
    journal.note(Event::Routed(Arc::clone(&uri)));
    let route = Route {
        target: asks_about_all(request).then(|| "*".to_owned()),
        host_field: None,
        origin: OriginKey { authority: text.into() },
        host,
        port,
        uri,
        authority: span,
        judgement: Some(judgement),
    };
    Ok(if connect { Routed::Tunnel(route) } else { Routed::Fetch(route) })
}

/// For the origin behind a reverse proxy: the client's Host is kept, the prefix put before the path.
/// What a trusted proxy says it was asked for is what the client knows the resource as.
fn to_origin(
    request: &RequestHead,
    origin: &ReverseOrigin,
    behind: &Behind<'_>,
) -> Result<Route, ExchangeError> {
    if request.method() == Method::Connect {
        return Err(ExchangeError::Unserved(Unserved::Connect));
    }
    if request.form() == Form::Absolute {
        let is = |scheme| request.scheme().eq_ignore_ascii_case(scheme);
        let as_asked = is("http") || (behind.https && is("https"));
        if !as_asked {
            return Err(ExchangeError::Unserved(Unserved::Misdirected));
        }
    }
    if !origin.prefix.is_empty() && auth::climbs(path_of(request)) {
        return Err(ExchangeError::Unserved(Unserved::DotSegments));
    }
    let authority = |value| Authority::parse(value).ok();
    let asked =
        request.authority().or_else(|| request.fields().get(Name::Host).and_then(authority));
    let host = asked.map_or_else(|| origin.authority.to_string(), |asked| normalized(&asked, 80));
    let (scheme, port) = if behind.https { ("https", 443) } else { ("http", 80) };
    let public = behind.host.map(|public| normalized(&public, port));
    let (uri, span) =
        target_uri(scheme, public.as_deref().unwrap_or(&host), request.path_and_query());
    let target = match request.form() {
        Form::Asterisk => Some("*".to_owned()),
        _ if origin.prefix.is_empty() => None,
        _ => Some([origin.prefix.as_str(), &uri[span.end..]].concat()),
    };
    Ok(Route {
        origin: OriginKey { authority: Arc::clone(&origin.authority) },
        host: origin.host.clone(),
        port: origin.port,
        target,
        host_field: public.map(|_| host),
        uri,
        authority: span,
        judgement: None,
    })
}

/// The URI, and where its authority stands. A path that is missing is `/` (RFC 9110 §4.2.3).
fn target_uri(scheme: &str, authority: &str, path_and_query: &str) -> (Arc<str>, Range<usize>) {
    let slash = if path_and_query.starts_with('/') { "" } else { "/" };
    let uri = [scheme, "://", authority, slash, path_and_query].concat();
    let start = scheme.len() + "://".len();
    (uri.into(), start..start + authority.len())
}

/// RFC 9112 §3.2.4: OPTIONS for a URL without a path and query asks about the origin as a whole.
fn asks_about_all(request: &RequestHead) -> bool {
    request.method() == Method::Options && request.path_and_query().is_empty()
}

/// In lower case, without the default port: what differs in nothing else is the same
/// (RFC 9110 §4.2.3), for the cache and so for the origin.
fn normalized(authority: &Authority<'_>, default_port: u16) -> String {
    let mut text = authority.host.to_ascii_lowercase();
    if let Some(port) = authority.port.filter(|&port| port != default_port) {
        text.push(':');
        text.push_str(&port.to_string());
    }
    text
}
