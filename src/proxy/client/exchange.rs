//! One request of a client, from its head to the end of its response.

use std::rc::Rc;
use std::sync::Arc;

use crate::auth::VerifyId;
use crate::cache::{CacheKey, Object, Presented};
use crate::http::{Multipart, RequestHead};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing::route::Route;
use crate::proxy::transfer::body::Body;
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::proxy::transfer::readers::ReaderKey;
use crate::proxy::transfer::send_buffer::TransferCoding;
use crate::reactor::Id;

use super::status_fields::{AuthInfo, CacheStatus};

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) request: Rc<RequestHead>,
    pub(crate) record: ExchangeRecord,
    /// Total of the output when the exchange began.
    pub(super) sent_before: u64,
    pub(crate) route: Option<Rc<Route>>,
    pub(super) key: Option<CacheKey>,
    /// The request as the cache compares it, once the cache was asked.
    pub(super) presented: Option<Presented>,
    /// Whether the client asks for nothing after it.
    pub(super) is_last: bool,
    /// Whether the connection is kept after it, as far as is known.
    pub(super) persistent: bool,
    pub(super) upload: Upload,
    pub(crate) source: Source,
    pub(crate) cache_status: CacheStatus,
    /// The password of this request that is being verified.
    pub(super) password: Option<VerifyId>,
    /// What is answered once that was held back for long enough.
    pub(super) held: Option<ExchangeError>,
    /// What the user is told whom these credentials are of.
    pub(crate) info: Option<AuthInfo>,
    /// The connection that a CONNECT asks for, coming about.
    pub(super) dial: Option<Dial>,
    /// How often it has waited for another's fetch in vain.
    pub(super) failed_joins: u32,
    pub(super) coding: TransferCoding,
    /// Whether the end of the content has been put into the output.
    pub(super) ended: bool,
    /// Whether only the end of the connection tells the client where the content ends.
    pub(super) until_close: bool,
}

/// The content of the request, on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// It has all come, or there is none.
    Done,
    /// It was not asked for: nobody has wanted it so far.
    Unread,
    /// It goes into this body.
    Into(Id<Body>),
}

/// Where the response comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    None,
    /// A stored object: the content from the first offset up to the second, then other parts.
    Stored {
        object: Arc<Object>,
        at: u64,
        end: u64,
        parts: Option<Box<Multipart>>,
    },
    /// A response on its way: all of it, or as many bytes from where the reader is as are left.
    Pending {
        id: Id<PendingResponse>,
        reader: ReaderKey,
        role: Role,
        left: Option<u64>,
    },
}

/// Part that a client has in a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The fetch is for its request.
    Leader,
    /// The client has joined the fetch before the request was sent.
    Early,
    /// The client has joined the fetch when the origin may have chosen its response already.
    Late,
}

/// Has the response come from a stored object.
pub(super) fn serve(exchange: &mut Exchange, object: Arc<Object>) {
    let end = object.length();
    exchange.source = Source::Stored { object, at: 0, end, parts: None };
}
