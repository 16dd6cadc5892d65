//! Requests as a hook sees and edits them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::app::FieldRule;
use crate::http::{Fields, HeadLimits, RequestHead};
use crate::proxy::observe::exchange_record::ExchangeRecord;

use super::error::HookError;
use super::field_rules::{check_edit, check_line};

/// A request, whose fields a hook may edit before the request is routed.
///
/// Edits count as if the client had sent the request so: for rules, for the cache (`Vary`, and
/// `Cache-Control` of the request), for the origin and for the access log. A field that an edit cannot
/// change is an error, never ignored: `Host`, fields of framing (`Content-Length`, `Transfer-Encoding`,
/// `Trailer`, `Expect`), fields of the connection (RFC 9110 §7.6.1), and fields that the proxy writes
/// itself (`Via`, `CDN-Loop`, `Forwarded`, `X-Forwarded-For`, `X-Forwarded-Host`, `X-Forwarded-Port`,
/// `X-Forwarded-Proto`).
#[derive(Debug)]
pub struct RequestEdit<'a> {
    head: &'a mut Arc<RequestHead>,
    record: &'a ExchangeRecord,
    limits: &'a HeadLimits,
}

impl<'a> RequestEdit<'a> {
    /// Returns an edit of the request `head`, which stays within the `limits` of heads.
    pub(crate) const fn new(
        head: &'a mut Arc<RequestHead>,
        record: &'a ExchangeRecord,
        limits: &'a HeadLimits,
    ) -> Self {
        Self { head, record, limits }
    }

    /// Returns method, target and fields, with all edits so far. Credentials that the proxy has verified
    /// are removed.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        self.head
    }

    /// Returns the address of the client, as trusted proxies report it; without them, the address of the
    /// peer.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        self.record.behind.to_canonical()
    }

    /// Returns the address of the peer, which opened the connection.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        let peer = self.record.client;
        SocketAddr::new(peer.ip().to_canonical(), peer.port())
    }

    /// Returns the address of the listener that accepted the connection.
    #[must_use]
    pub const fn listener(&self) -> SocketAddr {
        self.record.listener.address
    }

    /// Returns the name of the authenticated user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.record.user.as_deref()
    }

    /// Replaces all field lines named `name` by one, at the end.
    ///
    /// # Errors
    /// [`HookError::Field`] with the rule against the edit; nothing is changed then.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HookError> {
        self.put(name, value.as_ref(), true)
    }

    /// Adds a field line at the end. A line of the same name stays (RFC 9110 §5.3).
    ///
    /// # Errors
    /// [`HookError::Field`] with the rule against the edit; nothing is changed then.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HookError> {
        self.put(name, value.as_ref(), false)
    }

    /// Removes all field lines named `name`, in any case.
    ///
    /// # Errors
    /// [`HookError::Field`] with the rule against the edit; nothing is changed then.
    pub fn remove(&mut self, name: &str) -> Result<(), HookError> {
        check_edit(name, self.head)?;
        let fields = self.head.fields().filtered(|field| !field.is_named(name.as_bytes()));
        self.replace(fields);
        Ok(())
    }

    fn put(&mut self, name: &str, value: &[u8], replaces: bool) -> Result<(), HookError> {
        check_line(name, value, self.head)?;
        let value = value.trim_ascii();
        let line = name.len() + ": ".len() + value.len();
        let mut fields =
            self.head.fields().filtered(|field| !(replaces && field.is_named(name.as_bytes())));
        fields.push(name.as_bytes(), value);
        let HeadLimits { field, fields: lines, head, .. } = *self.limits;
        let end = "\r\n".len();
        if line > field || fields.len() > lines || fields.wire().len() + end > head {
            return Err(HookError::field(name, FieldRule::TooLarge));
        }
        self.replace(fields);
        Ok(())
    }

    fn replace(&mut self, fields: Fields) {
        *self.head = Arc::new(self.head.with_fields(fields));
    }
}
