//! Exchanges: a request of a client and its response.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::http::{Fields, Method, RequestHead};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::TraceEvent;
use crate::proxy::routing;
use crate::proxy::settings::sites::site_route::SiteRoute;
use crate::proxy::throttling::client_tables::LimitedRoute;
use crate::proxy::timers::ClientTimer;

use super::connection::Connection;
use super::context::ClientCx;
use super::persistence::Persistence;
use super::respond::{self, ResponseContext};
use super::shape;
use super::state::State;
use super::status_fields::{AuthInfo, CacheStatus};
use super::upload::Upload;

/// A request and its response. An exchange exists from the end of the request's head to the entry in
/// the log.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) request: Arc<RequestHead>,
    pub(super) record: ExchangeRecord,
    /// Total of the send buffer when the exchange began, in bytes.
    pub(super) sent_before: u64,
    pub(super) persistence: Persistence,
    pub(super) upload: Upload,
    pub(super) cache_status: CacheStatus,
    /// `Authentication-Info` for the user whose credentials were verified.
    pub(super) auth_info: Option<AuthInfo>,
    /// The route of the site that forwards the request, whose pages errors have.
    pub(super) site_route: Option<Arc<SiteRoute>>,
    /// Time for `Strict-Transport-Security`, if the response gets that field.
    pub(super) hsts: Option<Duration>,
    /// Route of the request, if it has limits of clients.
    pub(super) limited_route: Option<LimitedRoute>,
    /// State of the exchange; [`State::Finish`] while a step has it.
    pub(super) state: State,
}

impl Exchange {
    /// Releases everything that the exchange holds elsewhere. Readers of an incomplete upload see
    /// `error`.
    pub(super) fn release(
        &mut self,
        error: &ExchangeError,
        connection: &mut Connection,
        cx: &mut ClientCx<'_>,
    ) {
        self.upload.end(error, connection, cx);
        connection.timers.stop(ClientTimer::Auth);
        connection.timers.stop(ClientTimer::Join);
        connection.timers.stop(ClientTimer::Throttle);
        let unsent = connection.output.unsent_content();
        shape::give_back((&self.record, self.limited_route), unsent, cx);
        std::mem::replace(&mut self.state, State::Finish).release(connection, cx);
    }

    /// Records the exchange, which has ended.
    pub(super) fn record(&mut self, cx: &mut ClientCx<'_>) {
        let (request, settings) = (&self.request, &cx.shared.settings);
        self.record.tell_asked(|record| routing::asked_url(request, record, settings));
        cx.shared.record(&self.record, cx.reactor.now());
    }

    /// Responds with `error`: nothing of another response was written yet.
    pub(super) fn fail(
        &mut self,
        error: &ExchangeError,
        connection: &mut Connection,
        cx: &mut ClientCx<'_>,
    ) {
        self.release(error, connection, cx);
        self.record.add(TraceEvent::Failed(error.clone()));
        self.cache_status.stored = false;
        self.cache_status.detail = Some(if error.is_denial() { "denied" } else { "error" });
        self.persistence.keep_only_if(self.upload == Upload::Done && !cx.shared.draining);
        let explain = cx.shared.explain.as_deref();
        let context = ResponseContext { explain, ..self.response_context(cx) };
        let page = self.site_route.as_ref();
        let page = page.and_then(|route| route.policy.error_page(error.error_status().status));
        let media_type = page.map_or(respond::TEXT, |page| page.media_type.as_bytes());
        let page = page.map(|page| &**page);
        let (status, sent) = respond::error(connection.output.bytes(), error, page, context);
        self.record.tell_type(cx.shared.settings.log.as_ref(), media_type);
        self.record.status = Some(status);
        self.record.sent = sent;
    }

    /// Returns the head of a response of the origin as the client gets it, with the edits of the route. The
    /// cache has the head without them: it obeys the origin.
    pub(super) fn edited<'a>(&self, head: &'a Fields) -> Cow<'a, Fields> {
        match &self.site_route {
            Some(route) => route.policy.response_fields.apply(head),
            None => Cow::Borrowed(head),
        }
    }

    /// Returns the facts for a response that the proxy generates itself.
    pub(super) fn response_context<'a>(&'a self, cx: &'a ClientCx<'_>) -> ResponseContext<'a> {
        ResponseContext {
            name: &cx.shared.settings.name,
            now: cx.reactor.now(),
            head_only: self.request.method() == Method::Head,
            version: self.request.version(),
            persistence: self.persistence,
            cache_status: &self.cache_status,
            info: self.auth_info.as_ref(),
            hsts: self.hsts,
            edits: self.site_route.as_ref().map(|route| &route.policy.response_fields),
            explain: None,
        }
    }
}
