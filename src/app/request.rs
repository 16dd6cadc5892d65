//! Requests as handlers get them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use percent_encoding::percent_decode_str;

use crate::http::{Fields, Method, Name, RequestHead, Status, cookie};

use super::form::Form;
use super::reject::Reject;
use super::stream::Notify;

/// A request with its content. Clones share both.
#[derive(Clone, Debug)]
pub struct Request {
    message: Arc<Message>,
    /// Decoded parts of the path that the pattern of a view names.
    parameters: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug)]
struct Message {
    head: RequestHead,
    content: Vec<u8>,
    circumstances: Circumstances,
}

/// Facts about a request that its head does not have.
#[derive(Debug)]
pub(crate) struct Circumstances {
    /// The target URI, by which the client asks for the resource.
    pub(crate) url: Arc<str>,
    pub(crate) client: IpAddr,
    pub(crate) user: Option<Arc<str>>,
    /// Time at which the request was complete.
    pub(crate) received: SystemTime,
    pub(crate) notify: Notify,
}

impl Request {
    /// Returns a request with this head and content.
    pub(crate) fn of(head: RequestHead, content: Vec<u8>, circumstances: Circumstances) -> Self {
        let message = Message { head, content, circumstances };
        Self { message: Arc::new(message), parameters: Vec::new() }
    }

    /// Returns method, target, version and fields of the request: without hop-by-hop fields, credentials
    /// that the proxy has verified and claims about the client, and with the conditions of the cache in
    /// place of those of the client.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.message.head
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.head().method()
    }

    /// Returns the path as received, with percent-encodings; `*` for `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.path_and_query().split('?').next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    /// Returns the fields of the query, decoded; none without a query.
    #[must_use]
    pub fn query(&self) -> Form {
        let query = self.path_and_query().split_once('?').map_or("", |(_, query)| query);
        Form::parse(query.as_bytes())
    }

    /// Returns path and query as received.
    fn path_and_query(&self) -> &str {
        let head = self.head();
        if head.target() == "*" { "*" } else { head.path_and_query() }
    }

    /// Returns the field lines.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        self.head().fields()
    }

    /// Returns the value of the first field of this name, in any case, as text. Bytes that are not UTF-8 are
    /// replaced.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut named = self.fields().iter().filter(|field| field.is_named(name.as_bytes()));
        named.next().map(|field| String::from_utf8_lossy(field.value))
    }

    /// Returns the value of the first cookie of this name, if it is UTF-8.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        cookie(name, self.head()).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the decoded part of the path that the pattern of the view names.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(key, _)| **key == *name);
        named.next().map(|(_, value)| &**value)
    }

    /// Returns the content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.message.content
    }

    /// Returns the fields of a form in the content, decoded.
    ///
    /// # Errors
    /// A rejection with 415 if the content is no form of `application/x-www-form-urlencoded`, or has a
    /// coding.
    pub fn form(&self) -> Result<Form, Reject> {
        let media_type = self.field("Content-Type").unwrap_or_default();
        let is_coded = self.fields().has(Name::ContentEncoding);
        let form = Form::of(&media_type, self.content()).filter(|_| !is_coded);
        form.ok_or_else(|| Reject::with(Status::UNSUPPORTED_MEDIA_TYPE))
    }

    /// Returns the target URI: scheme, host, path and query by which the client asks for the resource.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.message.circumstances.url
    }

    /// Returns true if the client speaks TLS, with this proxy or a trusted one before it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url().starts_with("https://")
    }

    /// Returns the address of the client, as trusted proxies report it; without them, the address of the
    /// peer.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.message.circumstances.client
    }

    /// Returns the name of the user whom the proxy has authenticated.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.message.circumstances.user.as_deref()
    }

    /// Returns the time at which the request was complete.
    #[must_use]
    pub fn received(&self) -> SystemTime {
        self.message.circumstances.received
    }

    /// Returns the handle by which a stream that waits is asked again.
    #[must_use]
    pub fn notify(&self) -> Notify {
        self.message.circumstances.notify.clone()
    }

    /// Returns the request with the parts of the path that a pattern names, decoded.
    ///
    /// # Errors
    /// A rejection with 400 if a part is not UTF-8 once it is decoded.
    pub(super) fn with_parameters<'p>(
        &self,
        parts: impl Iterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, Reject> {
        let decoded = parts.map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8();
            value.map(|value| (name.into(), value.into()))
        });
        let decoded = decoded.collect::<Result<_, _>>();
        let parameters = decoded.map_err(|_| Reject::with(Status::BAD_REQUEST))?;
        Ok(Self { message: Arc::clone(&self.message), parameters })
    }
}
