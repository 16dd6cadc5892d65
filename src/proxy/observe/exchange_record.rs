//! What happened in one exchange.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use crate::access::{RequestContext, Scheme};
use crate::http::{Method, RequestHead, Status};
use crate::proxy::error::ExchangeError;
use crate::time::Now;

use super::log_format::LogFormat;
use super::outcome::{Forwarded, Outcome};
use super::reason::Reason;
use super::trace_event::TraceEvent;

/// The facts of one exchange, gathered while it goes on.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeRecord {
    pub(super) started: Now,
    pub(crate) client: SocketAddr,
    /// The address of the client behind trusted proxies: the peer's, if there are none.
    pub(crate) behind: IpAddr,
    /// The listener that the client came to.
    pub(super) listener: SocketAddr,
    /// Who has asked, if that was to be said.
    pub(crate) user: Option<Arc<str>>,
    /// The head, unless it was never whole.
    pub(crate) request: Option<Rc<RequestHead>>,
    /// The first line that came in place of a head, if it may have been meant for one.
    pub(crate) unread: Option<Box<[u8]>>,
    /// The URL asked for, if it is not the request's target as it came.
    pub(super) url: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<Status>,
    /// Bytes of content sent to the client, or of both directions of a tunnel.
    pub(crate) sent: u64,
    /// All bytes sent to the client: heads, content and what frames it.
    pub(crate) sent_in_all: u64,
    /// The media type that the client was told, without parameters, if the log shows it.
    pub(super) media_type: Option<Box<[u8]>>,
    /// Why the origin was asked, if it was.
    pub(crate) forwarded: Option<Forwarded>,
    /// Set if the origin was asked in vain whether what is served still holds.
    pub(crate) refresh_failed: bool,
    /// The origin's address, if one was asked.
    pub(crate) origin: Option<SocketAddr>,
    /// Why it was refused or failed.
    pub(crate) reason: Option<Reason>,
    /// How often the client was wrong of late, this time included.
    pub(crate) failures: Option<u32>,
    /// The rule that would have denied it, if it were not only written down.
    pub(super) reported: Option<String>,
    /// What was found out, if somebody wants to know all of it.
    pub(crate) trace: Option<Vec<TraceEvent>>,
}

impl ExchangeRecord {
    pub(crate) fn new(started: Now, client: SocketAddr, listener: SocketAddr) -> Self {
        Self {
            started,
            client,
            behind: client.ip(),
            listener,
            user: None,
            request: None,
            unread: None,
            url: None,
            outcome: Outcome::Error,
            status: None,
            sent: 0,
            sent_in_all: 0,
            media_type: None,
            forwarded: None,
            refresh_failed: false,
            origin: None,
            reason: None,
            failures: None,
            reported: None,
            trace: None,
        }
    }

    /// Takes note of what was found out or decided.
    pub(crate) fn add(&mut self, event: TraceEvent) {
        match &event {
            TraceEvent::Reported(rule) => {
                self.reported.get_or_insert_with(|| rule.reason());
            }
            TraceEvent::Failed(error) => {
                self.outcome = if error.is_denial() { Outcome::Denied } else { Outcome::Error };
                self.reason = Some(error.clone().into());
                if let ExchangeError::Connect { to, .. } = error {
                    self.origin = Some(*to);
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

    /// Takes note of the media type that the client is told, if the log shows that.
    pub(crate) fn tell_type(&mut self, format: Option<LogFormat>, content_type: &[u8]) {
        if format == Some(LogFormat::Squid) {
            let end = content_type.iter().position(|byte| b"; \t".contains(byte));
            let media_type = &content_type[..end.unwrap_or(content_type.len())];
            self.media_type = (!media_type.is_empty()).then(|| media_type.into());
        }
    }

    /// What rules ask for of the request.
    pub(crate) fn asker<'a>(&'a self, request: &'a RequestHead) -> RequestContext<'a> {
        // A tunnel to port 80 is for a URL with ws:// or http://.
        let port = request.authority().and_then(|authority| authority.port);
        let secure = request.method() == Method::Connect && port != Some(80);
        RequestContext {
            client: self.client.ip(),
            user: self.user.as_deref(),
            listener: Some(self.listener),
            method: request.method_name(),
            scheme: if secure { Scheme::Https } else { Scheme::Http },
        }
    }

    /// Takes note of what only matters to who wants to know all of it.
    pub(crate) fn trace(&mut self, event: impl FnOnce() -> TraceEvent) {
        if let Some(trace) = &mut self.trace {
            trace.push(event());
        }
    }

    /// The URL asked for, as far as it is known.
    pub(crate) fn url(&self) -> &str {
        let target = self.request.as_ref().map(|head| head.target());
        self.url.as_deref().or(target).unwrap_or("-")
    }
}
