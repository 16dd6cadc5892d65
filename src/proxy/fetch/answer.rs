//! Calls of an application's code, which may fail or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::app::Failure;
use crate::proxy::error::ApplicationError;
use crate::proxy::settings::sites::application::Application;
use crate::proxy::shared::Shared;

use super::application::Answer;
use super::request::FetchRequest;

/// Calls code of the application. A panic is a failure of this one request.
pub(super) fn answer<T>(call: impl FnOnce() -> Result<T, Failure>) -> Answer<T> {
    let told = || call().map_err(|failure| (ApplicationError::Failed, failure.to_string()));
    match catch_unwind(AssertUnwindSafe(told)) {
        Ok(answer) => answer,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err((ApplicationError::Panicked, text.unwrap_or_else(|| "without a text".to_owned())))
        }
    }
}

/// Tells the operator why an application has failed.
pub(super) fn tell_failure(
    request: &FetchRequest,
    application: &Application,
    (error, reason): &(ApplicationError, String),
    shared: &mut Shared,
) {
    let (method, reason) = (request.head.method_name(), reason.replace(char::is_control, " "));
    let (name, uri, word) = (&application.name, &request.route.uri, error.name());
    shared.tell(format!("application '{name}': {method} {uri}: {word}: {reason}"));
}
