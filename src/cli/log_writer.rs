//! The thread that writes the access log: a disk that hangs holds nobody up.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::config::LogTarget;
use crate::proxy::LogSink;

/// How long a log that cannot be written may hold up the end of the process.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// Hands lines to a thread, and counts how many bytes wait there.
#[derive(Debug)]
pub(super) struct LogWriter {
    sender: Option<Sender<Job>>,
    waiting: Arc<AtomicUsize>,
    capacity: usize,
    ended: Receiver<()>,
}

enum Job {
    Write(String),
    Reopen,
}

impl LogWriter {
    /// A writer to `target`, with room for `capacity` bytes that wait.
    ///
    /// # Errors
    /// If the file cannot be opened, or the thread not be started.
    pub(super) fn start(target: LogTarget, capacity: usize) -> io::Result<Self> {
        let mut output = open(&target)?;
        let (sender, jobs) = channel();
        let (end, ended) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        thread::Builder::new().name("access-log".into()).spawn(move || {
            for job in jobs {
                match job {
                    Job::Write(lines) => {
                        // A full disk loses lines; there is nobody to be told but the disk.
                        let _ = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
                        written.fetch_sub(lines.len(), Ordering::Relaxed);
                    }
                    Job::Reopen => match open(&target) {
                        Ok(new) => output = new,
                        Err(error) => eprintln!("the access log cannot be reopened: {error}"),
                    },
                }
            }
            drop(end);
        })?;
        Ok(Self { sender: Some(sender), waiting, capacity, ended })
    }
}

fn open(target: &LogTarget) -> io::Result<Box<dyn Write + Send>> {
    Ok(match target {
        LogTarget::Stdout => Box::new(io::stdout()),
        LogTarget::Off => Box::new(io::sink()),
        LogTarget::File(path) => Box::new(append(path)?),
    })
}

fn append(path: &str) -> io::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

impl LogSink for LogWriter {
    fn write(&mut self, lines: &str) -> bool {
        let waiting = self.waiting.fetch_add(lines.len(), Ordering::Relaxed);
        let fits = waiting + lines.len() <= self.capacity;
        let sent = fits
            && self.sender.as_ref().is_some_and(|s| s.send(Job::Write(lines.to_owned())).is_ok());
        if !sent {
            self.waiting.fetch_sub(lines.len(), Ordering::Relaxed);
        }
        sent
    }

    fn reopen(&mut self) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(Job::Reopen); // without the thread there is nothing to reopen
        }
    }
}

impl Drop for LogWriter {
    /// Lets the thread write what waits, unless that takes too long.
    fn drop(&mut self) {
        self.sender = None;
        let _ = self.ended.recv_timeout(LAST_FLUSH);
    }
}
