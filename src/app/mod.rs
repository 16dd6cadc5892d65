//! Applications: programs that answer requests, behind the cache, users and limits of the proxy.
//!
//! A [`Handler`] takes a [`Request`] with its content and returns a [`Reply`]: a [`Response`] with content
//! in memory, or a head whose content a [`Stream`] produces piece by piece. A [`Router`] is a handler that
//! finds others by path and method. All of this is values: no socket, clock or thread, so that a test
//! calls a handler as the proxy does.
//!
//! ```
//! use tidegate::app::{Failure, Handler, Reply, Request, Response, Router};
//! use tidegate::http::Status;
//!
//! fn greet(request: &Request) -> Result<Reply, Failure> {
//!     let name = request.parameter("name").unwrap_or("you");
//!     Ok(Response::text(format!("Hello, {name}!\n")).into())
//! }
//!
//! let router = Router::builder().get("/hello/{name}", greet).build()?;
//! let reply = router.handle(&Request::build("GET", "/hello/world").finish()?)?;
//! assert_eq!(reply.response().status(), Status::OK);
//! assert_eq!(reply.response().content(), b"Hello, world!\n");
//! # Ok::<(), Failure>(())
//! ```

mod failure;
mod field_rule;
mod form;
mod handler;
mod reject;
mod reply;
mod request;
mod request_builder;
mod response;
mod router;
mod signed_cookies;
mod stream;

pub use failure::Failure;
pub use field_rule::FieldRule;
pub(crate) use field_rule::field_of;
pub use form::Form;
pub use handler::Handler;
pub use reject::Reject;
pub use reply::Reply;
pub(crate) use request::Circumstances;
pub use request::Request;
pub use request_builder::RequestBuilder;
pub(crate) use response::check_response_line;
pub use response::{Response, ResponseError};
pub use router::{Router, RouterBuilder, RouterError};
pub use signed_cookies::SignedCookies;
pub(crate) use stream::Notified;
pub use stream::{Notify, Step, Stream};
