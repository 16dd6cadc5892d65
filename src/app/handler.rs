//! Handlers: the interface between the proxy and an application.

use super::failure::Failure;
use super::reply::Reply;
use super::request::Request;

/// An application, or a view of one: answers requests.
///
/// Functions `Fn(&Request) -> Result<Reply, Failure>` are handlers. Calls may overlap, on several threads,
/// unless the application runs on the loop: there a call that waits makes all clients wait. A panic is a
/// failure of this one request.
pub trait Handler: Send + Sync {
    /// Answers a request, whose content was received completely. For HEAD, the proxy takes the head of the
    /// reply and drops its content.
    ///
    /// # Errors
    /// The reason of the failure, or a [`Reject`](super::Reject) as the response.
    fn handle(&self, request: &Request) -> Result<Reply, Failure>;
}

impl<F: Fn(&Request) -> Result<Reply, Failure> + Send + Sync> Handler for F {
    fn handle(&self, request: &Request) -> Result<Reply, Failure> {
        self(request)
    }
}
