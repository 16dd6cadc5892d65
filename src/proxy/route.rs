//! Where a request goes: read from its target, its Host and the settings. Pure.

use std::net::IpAddr;
use std::rc::Rc;

use crate::access::Host;
use crate::http::{Authority, Form, Method, Name, RequestHead, hop};

use super::error::{ExchangeError, Unserved};
use super::pool::OriginKey;
use super::settings::{ReverseOrigin, Settings, authority_text};

/// Where a request goes and as what.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// What to look up, judge and dial.
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) origin: OriginKey,
    /// The target sent to the origin.
    pub(super) target: String,
    /// The Host sent to the origin.
    pub(super) host_field: String,
    /// The target URI: the cache's key and what the log shows. Authority, then path and query.
    pub(super) authority: String,
    pub(super) path: String,
    /// Whether destinations are judged: a reverse proxy's origin was chosen by its operator.
    pub(super) judged: bool,
}

impl Route {
    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
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

/// Routes a request from `client`.
pub(super) fn route(
    request: &RequestHead,
    client: IpAddr,
    settings: &Settings,
) -> Result<Routed, ExchangeError> {
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
        Some(origin) => to_origin(request, origin).map(Routed::Fetch),
        None => forward(request, settings),
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

fn forward(request: &RequestHead, settings: &Settings) -> Result<Routed, ExchangeError> {
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
    let port = authority.port.unwrap_or(80);
    settings.destinations.judge_port(port, connect).map_err(ExchangeError::Denied)?;
    if let Host::Address(address) = host {
        let judged = settings.destinations.judge_address(&host, address);
        judged.map_err(ExchangeError::Denied)?;
    }
    let default_port = if connect { 0 } else { 80 };
    let text = authority_text(&host, port, default_port);
    let path = if connect { String::new() } else { path_of(request) };
    let route = Route {
        origin: OriginKey { authority: Rc::from(text.as_str()) },
        target: target_of(request, &path),
        host_field: host_field(&authority),
        host,
        port,
        authority: text,
        path,
        judged: true,
    };
    Ok(if connect { Routed::Tunnel(route) } else { Routed::Fetch(route) })
}

/// For the origin behind a reverse proxy: the client's Host is kept, the prefix put before the path.
fn to_origin(request: &RequestHead, origin: &ReverseOrigin) -> Result<Route, ExchangeError> {
    if request.method() == Method::Connect {
        return Err(ExchangeError::Unserved(Unserved::Connect));
    }
    let named = request.fields().get(Name::Host).and_then(|host| Authority::parse(host).ok());
    let asked = request.authority().or(named);
    let path = path_of(request);
    let target = match request.form() {
        Form::Asterisk => "*".to_owned(),
        _ => format!("{}{path}", origin.prefix),
    };
    let authority = asked.map_or_else(|| origin.authority.clone(), |asked| normalized(&asked));
    Ok(Route {
        origin: OriginKey { authority: Rc::from(origin.authority.as_str()) },
        host: origin.host.clone(),
        port: origin.port,
        target,
        host_field: asked.map_or_else(|| origin.authority.clone(), |asked| host_field(&asked)),
        authority,
        path,
        judged: false,
    })
}

/// Path and query; a path that is missing is `/` (RFC 9110 §4.2.3).
fn path_of(request: &RequestHead) -> String {
    let path = request.path_and_query();
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// RFC 9112 §3.2.4: OPTIONS for a URL without a path and query asks about the origin as a whole.
fn target_of(request: &RequestHead, path: &str) -> String {
    let whole = request.method() == Method::Options && request.path_and_query().is_empty();
    if whole { "*".to_owned() } else { path.to_owned() }
}

/// RFC 9112 §3.2.2: whatever Host came with an absolute target, the target's authority replaces it.
fn host_field(authority: &Authority<'_>) -> String {
    match authority.port {
        Some(port) => format!("{}:{port}", authority.host),
        None => authority.host.to_owned(),
    }
}

fn normalized(authority: &Authority<'_>) -> String {
    let host = authority.host.to_ascii_lowercase();
    match authority.port {
        Some(port) if port != 80 => format!("{host}:{port}"),
        _ => host,
    }
}
