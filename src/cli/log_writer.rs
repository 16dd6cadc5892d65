//! The thread that writes the access log: a disk that hangs holds nobody up.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::config::LogTarget;
use crate::proxy::LogSink;

use super::say::say;

/// How long a log that cannot be written may hold up the end of the process.
const LAST_FLUSH: Duration = Duration::from_secs(1);
/// Larger buffers are not used again.
const BUFFER: usize = 64 * 1024;

/// Hands lines to a thread, and counts how many bytes wait there.
#[derive(Debug)]
pub(super) struct LogWriter {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    capacity: usize,
    /// Buffers whose lines were written.
    emptied: Receiver<String>,
    ended: Receiver<()>,
}

#[derive(Debug)]
enum Job {
    Write(String),
    Reopen,
    Redirect(LogTarget),
    End,
}

/// Has the lines go elsewhere.
#[derive(Clone, Debug)]
pub(super) struct LogControl(Sender<Job>);

impl LogControl {
    /// All lines from now on go to `target`, if it can be opened.
    pub(super) fn redirect(&self, target: LogTarget) {
        let _ = self.0.send(Job::Redirect(target)); // without the thread there is nothing to redirect
    }
}

impl LogWriter {
    /// A writer to `target`, with room for `capacity` bytes that wait.
    ///
    /// # Errors
    /// If the file cannot be opened, or the thread not be started.
    pub(super) fn start(target: LogTarget, capacity: usize) -> io::Result<Self> {
        let mut log = Log { output: open(&target)?, target, trouble: false, lost: 0 };
        let (sender, jobs) = channel();
        let (empty, emptied) = channel();
        let (end, ended) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        thread::Builder::new().name("access-log".into()).spawn(move || {
            for job in jobs {
                match job {
                    Job::Write(mut lines) => {
                        log.write(&lines);
                        written.fetch_sub(lines.len(), Ordering::Relaxed);
                        lines.clear();
                        let _ = empty.send(lines); // if nobody takes it, it is dropped
                    }
                    Job::Reopen => log.reopen(log.target.clone()),
                    Job::Redirect(target) => log.reopen(target),
                    Job::End => break,
                }
            }
            log.report();
            drop(end);
        })?;
        Ok(Self { jobs: sender, waiting, capacity, emptied, ended })
    }

    /// What directs it from outside.
    pub(super) fn control(&self) -> LogControl {
        LogControl(self.jobs.clone())
    }
}

/// The thread's side: where the lines go, and what became of them.
struct Log {
    target: LogTarget,
    output: Box<dyn Write + Send>,
    /// Whether it was said that lines cannot be written.
    trouble: bool,
    /// Lines that could not be written.
    lost: usize,
}

impl Log {
    fn write(&mut self, lines: &str) {
        let written = self.output.write_all(lines.as_bytes()).and_then(|()| self.output.flush());
        if let Err(error) = written {
            self.lost += lines.lines().count();
            if !mem::replace(&mut self.trouble, true) {
                say(format_args!("the access log cannot be written, lines are lost: {error}"));
            }
        }
    }

    fn reopen(&mut self, target: LogTarget) {
        match open(&target) {
            Ok(output) => {
                self.report();
                *self = Self { target, output, trouble: false, lost: 0 };
            }
            Err(error) => say(format_args!("the access log stays where it was: {error}")),
        }
    }

    /// Says how many lines were lost.
    fn report(&self) {
        if self.lost > 0 {
            say(format_args!("{} lines of the access log were lost", self.lost));
        }
    }
}

fn open(target: &LogTarget) -> io::Result<Box<dyn Write + Send>> {
    Ok(match target {
        LogTarget::Stdout => Box::new(io::stdout()),
        LogTarget::Off => Box::new(io::sink()),
        LogTarget::File(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
            Box::new(opened.map_err(named)?)
        }
    })
}

impl LogSink for LogWriter {
    fn write(&mut self, lines: &mut String) -> bool {
        let size = lines.len();
        let waiting = self.waiting.fetch_add(size, Ordering::Relaxed);
        let sent = waiting + size <= self.capacity && {
            let emptied = self.emptied.try_iter().find(|buffer| buffer.capacity() <= BUFFER);
            let lines = mem::replace(lines, emptied.unwrap_or_default());
            self.jobs.send(Job::Write(lines)).is_ok()
        };
        if !sent {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
        }
        sent
    }

    fn reopen(&mut self) {
        let _ = self.jobs.send(Job::Reopen); // without the thread there is nothing to reopen
    }
}

impl Drop for LogWriter {
    /// Lets the thread write what waits, unless that takes too long.
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::End);
        let _ = self.ended.recv_timeout(LAST_FLUSH);
    }
}
