//! Finished exchanges as a hook sees them.

use std::net::IpAddr;
use std::time::Duration;

use crate::http::Status;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::outcome::Outcome;
use crate::time::Now;

/// An exchange that has finished, as the access log records it.
#[derive(Debug)]
pub struct Finished<'a> {
    record: &'a ExchangeRecord,
    now: Now,
}

impl<'a> Finished<'a> {
    /// Returns the exchange of a `record` that is written `now`.
    pub(crate) const fn new(record: &'a ExchangeRecord, now: Now) -> Self {
        Self { record, now }
    }

    /// Returns the method; `None` if no complete request head was received.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.record.request.as_ref().map(|request| request.method_name())
    }

    /// Returns the target URI, or the target as received if the request names no host; `None` if no
    /// complete request head was received.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.record.request.is_some().then(|| self.record.url())
    }

    /// Returns the status of the response; `None` if none was begun.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        self.record.status
    }

    /// Returns the outcome.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.record.outcome
    }

    /// Returns the bytes of content sent to the client; for a tunnel, the bytes of both directions.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.record.sent
    }

    /// Returns the name of the authenticated user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.record.user.as_deref()
    }

    /// Returns the address of the client, as trusted proxies report it; without them, the address of the
    /// peer.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        self.record.behind.to_canonical()
    }

    /// Returns the time since the request head was complete; zero for bytes that are no request.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.record.elapsed(self.now)
    }
}
