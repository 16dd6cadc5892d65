//! Requests that a program makes itself, to call a handler with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::{
    HeadLimits, HeadWriter, MAX_FIELDS, ParseError, RequestHead, ServerCodec, ServerEvent,
};

use super::request::{Circumstances, Request};
use super::stream::Notify;

/// Limits of heads: those that any proxy would accept.
const LIMITS: HeadLimits = HeadLimits {
    start_line: usize::MAX,
    field: usize::MAX,
    fields: MAX_FIELDS,
    head: usize::MAX,
    chunk_extensions: 0,
    relaxed_target: true,
};

/// A request that is being built, for `http://app.example` and from 127.0.0.1.
#[derive(Debug)]
pub struct RequestBuilder {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
    client: IpAddr,
    user: Option<Arc<str>>,
    received: SystemTime,
}

impl Request {
    /// Begins a request that a program makes itself, such as a test: `Request::build("GET", "/notes")`.
    #[must_use]
    pub fn build(method: &str, target: &str) -> RequestBuilder {
        RequestBuilder {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            content: Vec::new(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user: None,
            received: UNIX_EPOCH,
        }
    }
}

impl RequestBuilder {
    /// Adds a field line.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the content.
    #[must_use]
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }

    /// Sets the content to a form, as a browser sends it: `a=1&b=2`.
    #[must_use]
    pub fn form(self, form: &str) -> Self {
        self.field("Content-Type", "application/x-www-form-urlencoded").content(form)
    }

    /// Sets the address of the client.
    #[must_use]
    pub const fn client(mut self, client: IpAddr) -> Self {
        self.client = client;
        self
    }

    /// Sets the user whom the proxy has authenticated.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the time at which the request was complete: 1 January 1970 unless set.
    #[must_use]
    pub const fn received(mut self, time: SystemTime) -> Self {
        self.received = time;
        self
    }

    /// Returns the request.
    ///
    /// # Errors
    /// The rule of HTTP that method, target or a field breaks.
    pub fn finish(self) -> Result<Request, ParseError> {
        let mut bytes = Vec::new();
        let mut head = HeadWriter::request(&mut bytes, &self.method, &self.target);
        head.field("Host", b"app.example");
        self.fields.iter().for_each(|(name, value)| _ = head.field(name, value));
        if !self.content.is_empty() {
            head.number("Content-Length", self.content.len() as u64);
        }
        head.end();
        let circumstances = Circumstances {
            url: format!("http://app.example{}", self.target).into(),
            client: self.client,
            user: self.user,
            received: self.received,
            notify: Notify::default(),
        };
        Ok(Request::of(parse(&bytes)?, self.content, circumstances))
    }
}

/// Parses a complete head.
///
/// # Errors
/// The rule of HTTP that the head breaks.
fn parse(bytes: &[u8]) -> Result<RequestHead, ParseError> {
    match ServerCodec::new().decode(bytes, &LIMITS)? {
        (used, Some(ServerEvent::Request(head))) if used == bytes.len() => Ok(*head),
        _ => Err(ParseError::Truncated),
    }
}
