//! Hook: the program that embeds the proxy observes requests, changes fields, responds and refuses.

mod action;
mod error;
pub(super) mod field_rules;
mod finished;
mod request_edit;

use std::fmt;

pub use action::{Action, Refusal};
pub use error::HookError;
pub use finished::Finished;
pub use request_edit::RequestEdit;

/// Hook of an embedder on each request, which [`Worker::set_hook`](super::Worker::set_hook) installs.
///
/// The worker calls its hook on the loop: while a call lasts, no client is served. A hook never blocks,
/// and leaves long work to threads of its own.
///
/// ```
/// use tidegate::app::{Response, ResponseError};
/// use tidegate::http::Status;
/// use tidegate::proxy::{Action, Hook, Refusal, RequestEdit};
///
/// #[derive(Debug)]
/// struct Health;
///
/// impl Hook for Health {
///     fn on_request(&mut self, request: &mut RequestEdit<'_>) -> Action {
///         if request.head().path_and_query() == "/healthz" {
///             return healthy().map_or(Action::Continue, Action::Respond);
///         }
///         match request.add("X-Request-Id", "7") {
///             Ok(()) => Action::Continue,
///             Err(error) => Action::Refuse(Refusal::new(error.to_string())),
///         }
///     }
/// }
///
/// fn healthy() -> Result<Response, ResponseError> {
///     Response::new(Status::OK)?.with_field("Content-Type", "text/plain")?.with_content("ok\n")
/// }
/// # assert!(healthy().is_ok());
/// ```
pub trait Hook: fmt::Debug {
    /// Decides on a request, and may edit its fields. The worker calls this once for each request, after
    /// the client is authenticated and before the request is routed.
    ///
    /// Requests that the proxy rejects before, because of their client or its credentials, are not shown.
    /// Destination rules apply after the hook, and to the edited request.
    fn on_request(&mut self, request: &mut RequestEdit<'_>) -> Action;

    /// Observes an exchange that has finished. The worker calls this once for each entry of the access
    /// log, also if no log is written: for responses from origin, cache, proxy and hook alike, for
    /// tunnels, and for bytes that are no request.
    fn on_finish(&mut self, finished: &Finished<'_>) {
        let _ = finished;
    }
}
