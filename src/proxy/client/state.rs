//! States of an exchange, and the results of its steps.

use std::sync::Arc;
use std::time::Instant;

use crate::auth::VerifyId;
use crate::cache::Object;
use crate::http::{Fields, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::fetch::DirectResponse;
use crate::proxy::files::{OpenFile, Wanted};
use crate::proxy::jobs::JobId;
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::representation::StreamedRepresentation;
use crate::proxy::transfer::send_buffer::TransferCoding;

use super::connection::Connection;
use super::context::ClientCx;
use super::query::Query;
use super::source::{Reading, Source};

/// State of an exchange, with the values that its step needs.
#[derive(Debug)]
pub(super) enum State {
    /// A CA has asked for the answer to a challenge (RFC 8555 §8.3).
    Challenge(Box<str>),
    /// The request is sent to `https`.
    Redirect,
    /// Bans and limits of clients are applied.
    Admit(Admit),
    /// The client is authenticated.
    Auth(Auth),
    /// The destination is decided.
    Route,
    /// The addresses of the destination are looked up, because rules depend on them.
    Resolve(Connecting),
    /// A CONNECT request gets its connection.
    Connect(Connecting),
    /// The cache is asked.
    Lookup(Lookup),
    /// A file is opened.
    Open(Opening),
    /// A pending response has no head yet.
    Wait(Wait),
    /// The head of the response is written.
    Deliver(Delivery),
    /// The content of the response is sent.
    Transmit(Transmission),
    /// The exchange is recorded; the connection is kept or closed.
    Finish,
}

/// Progress of a request of a client that may be banned or limited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admit {
    /// The client has to be judged.
    Check,
    /// The request is held, because the client is banned.
    Held,
}

/// Progress of authentication.
#[derive(Debug)]
pub(super) enum Auth {
    /// The credentials have to be checked.
    Check,
    /// A thread verifies the password.
    Verifying(VerifyId),
    /// The rejection is held back, which slows guessing down.
    Delayed(ExchangeError),
}

/// A route and the dial that looks its addresses up, or connects to them.
#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) route: Arc<Route>,
    pub(super) dial: Box<Dial>,
}

/// A request that the cache is to be asked about.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The cache was not asked yet.
    First(Arc<Route>),
    /// A joined fetch could not answer the query.
    Again(Box<Query>),
}

/// A pending response that the client waits for.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) reading: Reading,
    pub(super) fetch: FetchOf,
}

/// The request that a fetch was begun for.
#[derive(Debug)]
pub(super) enum FetchOf {
    /// This request, with its route.
    Own(Arc<Route>),
    /// Another request, whose fetch this one has joined.
    Joined {
        query: Box<Query>,
        /// True if the client has joined before the request was sent to the origin.
        early: bool,
    },
}

impl FetchOf {
    /// Returns the route of the request that waits.
    pub(super) fn into_route(self) -> Arc<Route> {
        match self {
            Self::Own(route) => route,
            Self::Joined { query, .. } => query.route,
        }
    }
}

/// Progress of opening a file.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) wanted: Arc<Wanted>,
    /// The job of a thread, unless the loop is to try.
    pub(super) job: Option<JobId>,
}

/// A file as the response to a request.
#[derive(Debug)]
pub(super) struct FileResponse {
    pub(super) file: Arc<OpenFile>,
    /// Head of the whole, without the empty line.
    pub(super) head: Fields,
    pub(super) status: Status,
}

/// A response whose head is to be written.
#[derive(Debug)]
pub(super) enum Delivery {
    /// A stored response for the URI of the route.
    Stored { object: Arc<Object>, route: Arc<Route> },
    /// A pending response, in the form that answers the request.
    Pending {
        reading: Reading,
        meta: Arc<ResponseMeta>,
        form: StreamedRepresentation,
        route: Arc<Route>,
    },
    /// A file.
    File(Box<FileResponse>),
    /// A short response of an application.
    Direct(Box<DirectResponse>),
}

/// Content that is sent.
#[derive(Debug)]
pub(super) struct Transmission {
    pub(super) source: Source,
    pub(super) coding: TransferCoding,
    /// Set once the end of the content is in the send buffer.
    pub(super) ended: bool,
    /// Time from which the client's limits grant bytes, if they have refused some.
    pub(super) turn: Option<Instant>,
}

/// Result of a step. It hands the state back, so that the exchange owns it while nothing is driven.
#[derive(Debug)]
pub(super) enum Next {
    /// The next step follows at once.
    Go(State),
    /// The step waits to be driven again.
    Park(State),
    /// The exchange fails: the client is told so.
    Fail(State, Box<ExchangeError>),
    /// The connection is over.
    Gone(State),
    /// A tunnel has taken the connection.
    HandedOver,
}

impl Next {
    /// Returns the failure of a step.
    pub(super) fn fail(state: State, error: ExchangeError) -> Self {
        Self::Fail(state, Box::new(error))
    }
}

impl State {
    /// Returns the word for the state in the list of connections that are open.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Challenge(_) => "Challenge",
            Self::Redirect => "Redirect",
            Self::Admit(_) => "Admit",
            Self::Auth(_) => "Auth",
            Self::Route => "Route",
            Self::Resolve(_) => "Resolve",
            Self::Connect(_) => "Connect",
            Self::Lookup(_) => "Lookup",
            Self::Open(_) => "Open",
            Self::Wait(_) => "Wait",
            Self::Deliver(_) => "Deliver",
            Self::Transmit(_) => "Transmit",
            Self::Finish => "Finish",
        }
    }

    /// Releases everything that the state of `client` holds elsewhere: readers, dials and a
    /// password that is being verified.
    pub(super) fn release(self, client: &Connection, cx: &mut ClientCx<'_>) {
        match self {
            Self::Open(Opening { job, .. }) => {
                job.into_iter().for_each(|job| cx.shared.jobs.leave(job));
            }
            Self::Auth(Auth::Verifying(id)) => {
                cx.shared.leave_verification(&id, client.token);
            }
            Self::Resolve(mut connecting) | Self::Connect(mut connecting) => {
                connecting.dial.cancel(cx.reactor, &mut cx.shared.origins);
            }
            Self::Wait(Wait { reading, .. }) | Self::Deliver(Delivery::Pending { reading, .. }) => {
                reading.release(cx.reactor, cx.shared);
            }
            Self::Transmit(Transmission { source, .. }) => source.release(cx.reactor, cx.shared),
            Self::Auth(Auth::Check | Auth::Delayed(_))
            | Self::Challenge(_)
            | Self::Redirect
            | Self::Admit(_)
            | Self::Route
            | Self::Lookup(_)
            | Self::Deliver(Delivery::Stored { .. } | Delivery::File(_) | Delivery::Direct(_))
            | Self::Finish => {}
        }
    }

    /// Returns the dial of the state, if it has one.
    pub(super) const fn dial(&self) -> Option<&Dial> {
        match self {
            Self::Resolve(connecting) | Self::Connect(connecting) => Some(&connecting.dial),
            _ => None,
        }
    }

    /// Returns the place among readers of a pending response, if the state has one.
    pub(super) const fn reading(&self) -> Option<Reading> {
        match self {
            Self::Wait(Wait { reading, .. })
            | Self::Deliver(Delivery::Pending { reading, .. })
            | Self::Transmit(Transmission { source: Source::Pending { reading, .. }, .. }) => {
                Some(*reading)
            }
            _ => None,
        }
    }
}
