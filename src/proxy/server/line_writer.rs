//! Lines for a descriptor that may take no bytes for a while: a thread writes them.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crate::proxy::observe::access_log::LogSink;

/// Most pieces of text that wait for the thread.
const WAITING: usize = 1024;
/// Time for the last lines to be written, when the writer is dropped.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// Writer of whole lines. Lines without room are lost, and counted.
#[derive(Debug)]
pub(super) struct LineWriter {
    lines: Option<SyncSender<String>>,
    /// Closed once the thread has written all.
    written: Receiver<()>,
    lost: u64,
}

impl LineWriter {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let (done, written) = channel::<()>();
        let write = move || {
            for text in waiting {
                // There is no place to tell of the failure of this one.
                let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            }
            drop(done);
        };
        thread::Builder::new().name("lines".into()).spawn(write)?;
        Ok(Self { lines: Some(lines), written, lost: 0 })
    }

    /// Has whole lines written.
    pub(super) fn send(&mut self, text: String) {
        let lines = text.matches('\n').count() as u64;
        let sent = self.lines.as_ref().is_some_and(|to| to.try_send(text).is_ok());
        self.lost += if sent { 0 } else { lines };
    }
}

impl LogSink for LineWriter {
    fn write(&mut self, lines: &mut String) {
        self.send(std::mem::take(lines));
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn reopen(&mut self) {}
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.written.recv_timeout(LAST_FLUSH);
    }
}
