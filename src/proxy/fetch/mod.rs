//! Fetches: requests to origins, and their responses.
//!
//! A client begins a fetch, which fills a [`PendingResponse`] and knows no client. The fetch
//! outlives the client if another client reads the response, or if the response is worth storing.
//!
//! ```text
//! Gather ──▶ Acquire ──▶ Send ──▶ Head ──▶ Content ──▶ Finished
//!               ▲         ▲         │         │
//!               │         └─────────┼─────────┤   another request on the same connection
//!               └───────────────────┴─────────┘   another attempt on another connection
//! ```
//!
//! | State    | owns                      | waits for                                  |
//! |----------|---------------------------|--------------------------------------------|
//! | Gather   | an attempt, if connected  | the end of the request's content           |
//! | Acquire  | the dial                  | a connection                               |
//! | Send     | the attempt               | nothing: it writes the request's head      |
//! | Head     | the attempt               | a final response head                      |
//! | Content  | the attempt               | the rest of the response, and room for it  |
//! | Call     | the call of a handler     | the request's content, and a reply         |
//! | Produce  | the stream of a reply     | the next piece of content, and room for it |
//! | Finished | nothing                   | nothing: the worker removes the fetch      |
//!
//! An application is asked in place of an origin: Acquire leads to Call and Produce then. A fetch
//! begins in Gather if the origin needs the length of an upload without one, otherwise in
//! Acquire. Send returns to Gather if the origin proved to need it meanwhile. Head ends in Finished
//! if the origin switched protocols. A failure in any state ends the fetch, except that a request
//! lost on a reused connection is sent once more.
//!
//! Each state is driven by the step of its name, one function in its own file. A step takes what
//! the state owns by value, and returns the next state. A step that fails returns a state, too,
//! which the drive loop releases.
//!
//! [`PendingResponse`]: crate::proxy::transfer::pending_response::PendingResponse

mod acquire;
mod answer;
mod application;
mod at_once;
mod attempt;
mod call;
mod content;
pub(super) mod context;
mod drive;
mod fill;
mod finish;
mod gather;
mod head;
mod partial;
mod place;
mod produce;
mod publish;
mod range_fill;
pub(super) mod request;
mod retry;
mod revalidate;
pub(super) mod rewrite_request;
pub(super) mod rewrite_response;
mod send;
pub(super) mod state;
mod step;
mod storing;
mod translate;
mod upload;

pub(super) use at_once::{DirectResponse, call_at_once};
pub(super) use range_fill::RangeFill;
