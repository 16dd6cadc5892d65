//! The site for operators and their programs: metrics and the state of the proxy, by HTTP.

use crate::http::list::Elements;
use crate::http::weight::weighed;
use crate::http::{Fields, Method, Name, RequestHead, Status};
use crate::proxy::observe::stats::Stats;

/// Media type of the text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Media type of the text format of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A response of the site.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) media_type: &'static str,
    pub(super) content: String,
}

impl Reply {
    fn text(status: Status, content: &str) -> Self {
        Self { status, media_type: TEXT, content: format!("{content}\n") }
    }

    /// Returns a response with the reason of its status as text.
    pub(super) fn of_status(status: Status) -> Self {
        Self::text(status, status.reason())
    }
}

/// Responds to a request. `metrics` are taken when they are wanted; a proxy that `drains` serves no new
/// clients.
pub(super) fn respond(head: &RequestHead, drains: bool, metrics: impl FnOnce() -> Stats) -> Reply {
    let path = head.path_and_query().split('?').next().unwrap_or_default();
    if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
        return Reply::of_status(Status::NOT_FOUND);
    }
    if !matches!(head.method(), Method::Get | Method::Head) {
        return Reply::of_status(Status::METHOD_NOT_ALLOWED);
    }
    match path {
        "/healthz" => Reply::text(Status::OK, "ok"),
        "/readyz" if drains => Reply::text(Status::SERVICE_UNAVAILABLE, "draining"),
        "/readyz" => Reply::text(Status::OK, "ready"),
        _ if wants_open_metrics(head.fields()) => {
            let content = metrics().open_metrics();
            Reply { status: Status::OK, media_type: OPEN_METRICS, content }
        }
        _ => {
            let content = metrics().prometheus();
            Reply { status: Status::OK, media_type: PROMETHEUS, content }
        }
    }
}

/// Returns true if a reader prefers OpenMetrics to other text.
fn wants_open_metrics(fields: &Fields) -> bool {
    let mut best = (0, false);
    for element in fields.all(Name::Accept).flat_map(Elements::of) {
        let (weight, media_type) = weighed(element);
        let is_open = media_type.starts_with(b"application/openmetrics-text");
        if (is_open || media_type.starts_with(b"text/plain")) && weight > best.0 {
            best = (weight, is_open);
        }
    }
    best.1
}
