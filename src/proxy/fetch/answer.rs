//! Calls of an application's code, which may fail or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::app::Failure;
use crate::proxy::error::ApplicationError;
use crate::proxy::settings::sites::application::Application;

use super::context::FetchCx;
use super::state::Fetch;

/// Result of a handler or of a step of its stream. The reason of an error is for the operator.
pub(super) type Answer<T> = Result<T, (ApplicationError, String)>;

/// Calls code of the application. A panic is a failure of this one request.
pub(super) fn answer<T>(call: impl FnOnce() -> Result<T, Failure>) -> Answer<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err((ApplicationError::Failed, failure.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err((ApplicationError::Panicked, text.unwrap_or_else(|| "without a text".to_owned())))
        }
    }
}

/// Tells the operator why an application has failed.
pub(super) fn tell_failure(
    fetch: &Fetch,
    application: &Application,
    error: ApplicationError,
    reason: &str,
    cx: &mut FetchCx<'_>,
) {
    let method = fetch.request.head.method_name();
    let (name, uri, word) = (&application.name, &fetch.request.route.uri, error.name());
    let reason = reason.replace(char::is_control, " ");
    let line = format!("application '{name}': {method} {uri}: {word}: {reason}");
    cx.shared.tell(line);
}
