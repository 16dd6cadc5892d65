//! Streams: content of replies that is produced piece by piece.

use std::fmt;
use std::sync::Arc;

use super::failure::Failure;

/// Content of a reply, produced as fast as clients read it: at most a window of it is in memory.
///
/// Iterators over pieces are streams. A stream is dropped once no client reads the response any more.
pub trait Stream: Send {
    /// Produces the next step. After [`Step::End`] or a failure, the stream is dropped.
    ///
    /// # Errors
    /// The reason for which the content ends before it is complete. The client's connection is cut, so that
    /// the client does not take the content for whole.
    fn next(&mut self) -> Result<Step, Failure>;
}

/// Step of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Further content. An empty piece has no effect.
    Piece(Vec<u8>),
    /// No content yet: the stream is asked again after its [`Notify`] was called. A thread that waits for
    /// content instead serves no other request meanwhile.
    Wait,
    /// The content is complete.
    End,
}

impl<I: Iterator<Item = Vec<u8>> + Send> Stream for I {
    fn next(&mut self) -> Result<Step, Failure> {
        Ok(Iterator::next(self).map_or(Step::End, Step::Piece))
    }
}

/// Handle by which any thread tells the proxy that a stream which waits has content again.
#[derive(Clone, Default)]
pub struct Notify(Option<Arc<dyn Notified>>);

/// Receiver of notifications.
pub(crate) trait Notified: Send + Sync {
    /// Has the stream asked again.
    fn notify(&self);
}

impl Notify {
    /// Returns a handle that notifies `receiver`.
    pub(crate) fn new(receiver: Arc<dyn Notified>) -> Self {
        Self(Some(receiver))
    }

    /// Has the stream asked again soon. Has no effect if the response has ended, or if the request was
    /// built by a test.
    pub fn notify(&self) {
        if let Some(receiver) = &self.0 {
            receiver.notify();
        }
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}
