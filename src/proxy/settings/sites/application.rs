//! Applications that answer the requests of a route.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::app::Handler;

/// An application: a handler, and the bounds of its calls.
#[derive(Clone)]
pub struct Application {
    pub(crate) name: Arc<str>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) place: CallPlace,
    pub(crate) max_content: u64,
    pub(crate) timeout: Duration,
    pub(crate) max_calls: usize,
}

/// Place in which a handler and its streams are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPlace {
    Threads,
    Loop,
}

impl Application {
    /// Returns the application of a `handler` that is called on threads. The log has `name`.
    #[must_use]
    pub fn new(name: &str, handler: impl Handler + 'static) -> Self {
        Self {
            name: name.into(),
            handler: Arc::new(handler),
            place: CallPlace::Threads,
            max_content: 1 << 20,
            timeout: Duration::from_secs(60),
            max_calls: 1024,
        }
    }

    /// Has the handler and its streams called on the loop, without a change of threads. While a call lasts,
    /// no other client is served: for handlers that wait for nothing and take microseconds.
    #[must_use]
    pub const fn on_loop(mut self) -> Self {
        self.place = CallPlace::Loop;
        self
    }

    /// Sets the largest content of a request, in bytes: 1 MiB unless set. It is in memory before the handler
    /// is called. A client that sends more gets a 413.
    #[must_use]
    pub const fn with_max_content(mut self, bytes: u64) -> Self {
        self.max_content = bytes;
        self
    }

    /// Sets the time for a reply, and for each step of its stream: 60 s unless set. After that the client
    /// gets a 504, or its connection is cut. A handler on a thread is not stopped.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the largest number of calls that run or wait for a thread: 1,024 unless set. Beyond that, clients
    /// get a 503.
    #[must_use]
    pub const fn with_max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Two applications are equal if they are one and the same.
impl PartialEq for Application {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handler, &other.handler)
            && (&self.name, self.place, self.max_content, self.timeout, self.max_calls)
                == (&other.name, other.place, other.max_content, other.timeout, other.max_calls)
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("name", &self.name)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
