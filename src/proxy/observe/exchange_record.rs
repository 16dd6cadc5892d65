//! The record of one exchange, for the log, the counters and traces.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::access::RequestContext;
use crate::cache::NotStored;
use crate::geo::Located;
use crate::http::{ContentCoding, Method, RequestHead, Scheme, Status};
use crate::proxy::error::ExchangeError;
use crate::time::Now;
use crate::tls::{Facts, PeerCertificate};

use super::listener::{AuthScope, ListenerInfo};
use super::log_format::LogFormat;
use super::outcome::{Forwarded, Outcome};
use super::peer::Peer;
use super::reason::Reason;
use super::request_id::RequestId;
use super::timings::Timings;
use super::trace_event::TraceEvent;

/// The facts of one exchange, gathered while it lasts.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeRecord {
    pub(super) started: Now,
    pub(crate) client: SocketAddr,
    /// The client's address behind trusted proxies; the peer's if there are none.
    pub(crate) behind: IpAddr,
    /// The result of looking up the client's place, if rules name places.
    pub(crate) located: Option<Located>,
    /// The listener at which the client connected.
    pub(crate) listener: ListenerInfo,
    /// The address that the client has connected to; unspecified for a socket in the file system.
    pub(crate) destination: SocketAddr,
    /// The identifier, once there is a request.
    pub(crate) id: Option<RequestId>,
    /// The client's TLS session, if it has one.
    pub(crate) tls: Option<Arc<Facts>>,
    /// True if the client speaks TLS with a trusted proxy in front, as its PROXY header states.
    pub(crate) tls_in_front: bool,
    /// Number of the site, if that has users of its own.
    pub(crate) auth_site: Option<usize>,
    /// The authenticated user.
    pub(crate) user: Option<Arc<str>>,
    /// The request head, once it is complete.
    pub(crate) request: Option<Arc<RequestHead>>,
    /// The first line received instead of a valid head, if it may have been meant as HTTP.
    pub(crate) unread: Option<Box<[u8]>>,
    /// The target URI, once the request is routed, or once it has ended without that.
    pub(super) url: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<Status>,
    /// Bytes of content sent to the client, or of both directions of a tunnel.
    pub(crate) sent: u64,
    /// All bytes sent to the client: heads, content and its framing.
    pub(crate) sent_in_all: u64,
    /// All bytes received for the request: its head, and content with its framing.
    pub(crate) received_in_all: u64,
    /// The time until the response began.
    pub(crate) first_byte: Option<Duration>,
    /// The steps of the request to the origin.
    pub(crate) timings: Timings,
    /// The coding that this proxy has applied to the content.
    pub(crate) coding: Option<ContentCoding>,
    /// The media type in the response, without parameters, if the log shows it.
    pub(super) media_type: Option<Box<[u8]>>,
    /// The reason for which the request was forwarded, if it was.
    pub(crate) forwarded: Option<Forwarded>,
    /// The reason for which the response of the origin was not stored.
    pub(crate) not_stored: Option<NotStored>,
    /// True if the origin could not validate the stale response that is served.
    pub(crate) refresh_failed: bool,
    /// The name of the group of origins that the route of a site leads to.
    pub(crate) group: Option<Arc<str>>,
    /// The address of the origin, if a connection was made or attempted.
    pub(crate) origin: Option<SocketAddr>,
    /// The reason for which the exchange was refused, failed or was cut off.
    pub(crate) reason: Option<Reason>,
    /// Recent authentication failures of the client, this one included.
    pub(crate) failures: Option<u32>,
    /// The report rule that would have denied the request.
    pub(super) reported: Option<String>,
    /// All events, if the exchange is traced.
    pub(crate) trace: Option<Vec<TraceEvent>>,
}

impl ExchangeRecord {
    pub(crate) fn new(started: Now, client: SocketAddr, listener: ListenerInfo) -> Self {
        Self {
            started,
            client,
            behind: client.ip(),
            located: None,
            destination: listener.address,
            listener,
            id: None,
            tls: None,
            tls_in_front: false,
            auth_site: None,
            user: None,
            request: None,
            unread: None,
            url: None,
            outcome: Outcome::Error,
            status: None,
            sent: 0,
            sent_in_all: 0,
            received_in_all: 0,
            first_byte: None,
            timings: Timings::default(),
            coding: None,
            media_type: None,
            forwarded: None,
            not_stored: None,
            refresh_failed: false,
            group: None,
            origin: None,
            reason: None,
            failures: None,
            reported: None,
            trace: None,
        }
    }

    /// Records an event, and adds it to the trace, if any.
    pub(crate) fn add(&mut self, event: TraceEvent) {
        match &event {
            TraceEvent::Reported(rule) => {
                self.reported.get_or_insert_with(|| rule.reason());
            }
            TraceEvent::Failed(error) => {
                self.outcome = if error.is_denial() { Outcome::Denied } else { Outcome::Error };
                self.reason = Some(error.clone().into());
                if let ExchangeError::Connect { to, .. } = error {
                    self.origin = *to;
                }
            }
            TraceEvent::Recognized(user) => self.user = Some(Arc::clone(user)),
            TraceEvent::Routed(uri) => self.url = Some(Arc::clone(uri)),
            _ => {}
        }
        if let Some(trace) = &mut self.trace {
            trace.push(event);
        }
    }

    /// Records the URL that the client has asked for, unless the request was routed.
    pub(crate) fn tell_asked(&mut self, url: impl FnOnce(&Self) -> Option<Arc<str>>) {
        if self.url.is_none() {
            self.url = url(self);
        }
    }

    /// Records the media type of the response, if the log shows it.
    pub(crate) fn tell_type(&mut self, format: Option<&LogFormat>, content_type: &[u8]) {
        if format.is_some_and(LogFormat::shows_type) {
            let end = content_type.iter().position(|byte| b"; \t".contains(byte));
            let media_type = &content_type[..end.unwrap_or(content_type.len())];
            self.media_type = (!media_type.is_empty()).then(|| media_type.into());
        }
    }

    /// Returns the time from the start of the exchange until `now`.
    pub(crate) fn elapsed(&self, now: Now) -> Duration {
        now.mono.saturating_duration_since(self.started.mono)
    }

    /// Returns true if the client has asked for an `https` URL over a connection without TLS, on which
    /// others can read the request and the response.
    pub(crate) fn came_in_clear(&self) -> bool {
        let asks = |head: &Arc<RequestHead>| Scheme::named(head.scheme()) == Some(Scheme::Https);
        !self.is_secure() && self.request.as_ref().is_some_and(asks)
    }

    /// Returns true if the client speaks TLS, with this proxy or a trusted one in front.
    pub(crate) const fn is_secure(&self) -> bool {
        self.tls.is_some() || self.tls_in_front
    }

    /// Returns the verified certificate of the client.
    pub(crate) fn client_certificate(&self) -> Option<&PeerCertificate> {
        self.tls.as_ref()?.certificate.as_ref()
    }

    /// Returns true if this proxy has authenticated the client, as a user or by its certificate.
    pub(crate) fn is_of_known_client(&self) -> bool {
        self.user.is_some() || self.client_certificate().is_some()
    }

    /// Returns the users that the request is authenticated among.
    pub(crate) const fn auth_scope(&self) -> AuthScope {
        AuthScope { service: self.listener.service(), site: self.auth_site }
    }

    /// Returns the peer that has sent the request.
    pub(crate) fn peer(&self) -> Peer {
        Peer { address: self.client.ip(), is_secure: self.is_secure() }
    }

    /// Returns the facts of the request that rules are matched against.
    pub(crate) fn request_context<'a>(&'a self, request: &'a RequestHead) -> RequestContext<'a> {
        // A tunnel to port 80 is for a URL with ws:// or http://.
        let port = request.authority().and_then(|authority| authority.port);
        let secure = match request.method() {
            Method::Connect => port != Some(80),
            _ if request.scheme().is_empty() => self.is_secure(),
            _ => Scheme::named(request.scheme()) == Some(Scheme::Https),
        };
        RequestContext {
            client: self.client.ip(),
            located: self.located.unwrap_or_default(),
            user: self.user.as_deref(),
            certificate: self.client_certificate().map(|certificate| certificate.names.as_slice()),
            listener: Some(self.listener.address),
            method: request.method_name(),
            scheme: if secure { Scheme::Https } else { Scheme::Http },
        }
    }

    /// Records an event that only traced exchanges keep.
    pub(crate) fn trace(&mut self, event: impl FnOnce() -> TraceEvent) {
        if let Some(trace) = &mut self.trace {
            trace.push(event());
        }
    }

    /// Returns the target URI, or the target as received if the request has no URI; `-` if there is
    /// neither.
    pub(crate) fn url(&self) -> &str {
        let target = self.request.as_ref().map(|head| head.target());
        self.url.as_deref().or(target).unwrap_or("-")
    }
}
