//! Threads that look at files regularly, so that changed ones take effect without a reload.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::proxy::Mail;
use crate::reactor::Mailbox;

/// Time between two looks at the files.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// A thread that looks at files, until this value is dropped.
#[derive(Debug)]
pub(super) struct FileWatch {
    /// Number of the watch: what an earlier one has found is of no use any more.
    pub(super) number: u64,
    /// Never sent to; dropping it ends the thread.
    _ended: Sender<()>,
}

impl FileWatch {
    /// Starts a thread called `name` that calls `look` regularly, and sends to `mailbox` what that
    /// finds.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn start<T: Send + 'static>(
        (name, number): (&str, u64),
        mailbox: Mailbox<Mail>,
        mut look: impl FnMut() -> Option<T> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, ended) = channel();
        thread::Builder::new().name(name.into()).spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let Some(found) = look() else { continue };
                if mailbox.send_when_room(Mail::Program(Box::new(found))).is_err() {
                    return; // the reactor is gone
                }
            }
        })?;
        Ok(Self { number, _ended: sender })
    }

    /// Returns the number of the watch that replaces `earlier`.
    pub(super) fn next(earlier: Option<&Self>) -> u64 {
        earlier.map_or(0, |earlier| earlier.number + 1)
    }
}
