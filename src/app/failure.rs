//! Failures of application code.

use std::error::Error;

/// Reason for which a handler or a stream has no answer. The client gets a 500 without the reason, which
/// the operator is told.
pub type Failure = Box<dyn Error + Send + Sync>;
