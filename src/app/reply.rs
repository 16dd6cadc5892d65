//! Replies of handlers.

use std::fmt;

use super::response::Response;
use super::stream::Stream;

/// Reply of a handler: a response with its content, or with a stream of content.
pub struct Reply {
    response: Response,
    stream: Option<Box<dyn Stream>>,
    length: Option<u64>,
}

impl Reply {
    /// Returns a reply with the status and fields of `response`, whose content `stream` produces. Content
    /// that the response holds comes first.
    #[must_use]
    pub fn streaming(response: Response, stream: impl Stream + 'static) -> Self {
        Self { response, stream: Some(Box::new(stream)), length: None }
    }

    /// Promises the length of streamed content, in bytes, as `Content-Length`. If the stream produces more
    /// or fewer bytes, the client's connection is cut. Without a promise, clients of HTTP/1.1 get chunks.
    #[must_use]
    pub const fn with_length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Returns the response, with its content if that is not streamed.
    #[must_use]
    pub const fn response(&self) -> &Response {
        &self.response
    }

    /// Returns true if the content is streamed.
    #[must_use]
    pub const fn is_streamed(&self) -> bool {
        self.stream.is_some()
    }

    /// Returns the length of the content in bytes, if it is known before the content.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        match &self.stream {
            None => Some(self.response.content().len() as u64),
            Some(_) => self.length,
        }
    }

    /// Takes the reply apart: status, fields and first content, and the stream of the rest.
    #[must_use]
    pub fn into_parts(self) -> (Response, Option<Box<dyn Stream>>) {
        (self.response, self.stream)
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, stream: None, length: None }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("response", &self.response)
            .field("streams", &self.stream.is_some())
            .field("length", &self.length)
            .finish()
    }
}
