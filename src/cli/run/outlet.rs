//! A thread that writes lines to a file, a pipe or a terminal: no disk and no reader stops the loop.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::LogTarget;
use crate::reactor::{Clock, SystemClock};

use super::output::Output;

/// Time between two notices about lost lines, at least.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lines on their way to one output: a bounded queue, and a thread that empties it. Clones share it.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    /// Name of the output in notices.
    name: &'static str,
    /// Bytes that may wait.
    capacity: usize,
    /// Takes notices about lost lines; without, the output itself takes them.
    notices: Option<Outlet>,
    queue: Mutex<Queue>,
    /// Signalled when there is something for the thread to do.
    more: Condvar,
    /// Signalled when the thread has ended.
    ended: Condvar,
    lost: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Bytes in `jobs`, and of those that are being written.
    waiting: usize,
    loss: Loss,
    closing: bool,
    running: bool,
}

/// Lines that were lost and not reported yet.
#[derive(Default)]
struct Loss {
    lines: u64,
    /// The time at which the first was.
    since: Option<Instant>,
    /// True if the last write failed.
    fails: bool,
}

enum Job {
    Write(String),
    /// Opens the target of before once more.
    Reopen,
    /// Opens another target.
    Redirect(LogTarget),
}

impl Outlet {
    /// An outlet without a thread: lines wait until [`start`](Self::start). At most `capacity` bytes
    /// do. `notices` is told of lost lines; without, the output itself is, once it takes lines again.
    pub(super) fn new(name: &'static str, capacity: usize, notices: Option<Self>) -> Self {
        Self(Arc::new(Shared {
            name,
            capacity,
            notices,
            queue: Mutex::default(),
            more: Condvar::new(),
            ended: Condvar::new(),
            lost: AtomicU64::new(0),
        }))
    }

    /// Starts the thread, which writes to `output`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start(&self, output: Output) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        self.0.lock().running = true;
        let started = thread::Builder::new().name(self.0.name.replace(' ', "-"));
        let started = started.spawn(move || shared.work(output));
        started.map(drop).inspect_err(|_| self.0.lock().running = false)
    }

    /// Queues whole lines, and empties `lines`. Returns false if there is no room: the lines are
    /// lost then, and counted.
    pub(super) fn write(&self, lines: &mut String) -> bool {
        let mut queue = self.0.lock();
        // An empty queue takes the lines of one turn, however many those are.
        let is_full = queue.waiting > 0 && queue.waiting + lines.len() > self.0.capacity;
        if queue.closing || is_full {
            let first = queue.loss.add(lines);
            drop(queue);
            self.0.count(lines);
            lines.clear();
            if first {
                self.0.notice("cannot be written fast enough, lines are lost");
            }
            return false;
        }
        queue.waiting += lines.len();
        match queue.jobs.back_mut() {
            Some(Job::Write(before)) => before.push_str(lines),
            _ => queue.jobs.push_back(Job::Write(std::mem::take(lines))),
        }
        lines.clear();
        self.0.more.notify_one();
        true
    }

    /// Queues a notice, `text` with the end of its last line.
    pub(super) fn say(&self, text: impl Display) {
        self.write(&mut format!("{text}\n"));
    }

    /// Has the target opened once more, for the lines that come from now on.
    pub(super) fn reopen(&self) {
        let mut queue = self.0.lock();
        if matches!(queue.jobs.back(), None | Some(Job::Write(_))) {
            queue.jobs.push_back(Job::Reopen);
        }
        self.0.more.notify_one();
    }

    /// Has the lines that come from now on written to `target`, if it can be opened.
    pub(super) fn redirect(&self, target: LogTarget) {
        let mut queue = self.0.lock();
        if matches!(queue.jobs.back(), Some(Job::Reopen | Job::Redirect(_))) {
            queue.jobs.pop_back();
        }
        queue.jobs.push_back(Job::Redirect(target));
        self.0.more.notify_one();
    }

    /// Lines that were taken or refused, and will never be written.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, `patience` at the longest. Takes no lines afterwards.
    pub(super) fn finish(&self, patience: Duration) {
        let mut queue = self.0.lock();
        queue.closing = true;
        self.0.more.notify_one();
        let runs = |queue: &mut Queue| queue.running;
        drop(self.0.ended.wait_timeout_while(queue, patience, runs));
    }
}

impl Loss {
    /// Adds `lines`; returns true if they are the first.
    fn add(&mut self, lines: &str) -> bool {
        self.lines += count(lines);
        let first = self.since.is_none();
        self.since.get_or_insert_with(now);
        first
    }

    /// Returns how long to wait before the number of lost lines is reported, `interval` after the
    /// first of them; `None` if there is nothing to report, or nowhere to write it.
    fn due_in(&self, interval: Duration) -> Option<Duration> {
        let since = self.since.filter(|_| !self.fails)?;
        Some((since + interval).saturating_duration_since(now()))
    }
}

impl Shared {
    fn work(&self, mut output: Output) {
        loop {
            match self.next() {
                NextJob::Job(Job::Write(lines)) => self.write(&lines, &mut output),
                NextJob::Job(Job::Reopen) => {
                    let target = output.target().clone();
                    self.open(target, &mut output);
                }
                NextJob::Job(Job::Redirect(target)) => self.open(target, &mut output),
                NextJob::Report => self.report(&mut output),
                NextJob::End => break,
            }
        }
        self.report(&mut output);
        self.lock().running = false;
        self.ended.notify_all();
    }

    /// Waits for something to do.
    fn next(&self) -> NextJob {
        // An output that takes its own notices says at once how many lines are missing there.
        let interval = if self.notices.is_some() { INTERVAL } else { Duration::ZERO };
        let mut queue = self.lock();
        loop {
            let due = queue.loss.due_in(interval);
            if due.is_some_and(|due| due.is_zero()) {
                return NextJob::Report;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return NextJob::Job(job);
            }
            if queue.closing {
                return NextJob::End;
            }
            queue = match due {
                Some(due) => {
                    self.more.wait_timeout(queue, due).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn write(&self, lines: &str, output: &mut Output) {
        let written = output.write(lines.as_bytes());
        let mut queue = self.lock();
        queue.waiting -= lines.len();
        queue.loss.fails = written.is_err();
        let Err((rest, error)) = written else { return };
        let lost = &lines[lines.len() - rest..];
        let first = queue.loss.add(lost);
        drop(queue);
        self.count(lost);
        if first {
            self.notice(&format!("cannot be written, lines are lost: {error}"));
        }
    }

    fn open(&self, target: LogTarget, output: &mut Output) {
        match Output::open(target) {
            Ok(opened) => {
                self.report(output);
                *output = opened;
            }
            Err(error) => self.notice(&format!("stays where it was: {error}")),
        }
    }

    /// Says how many lines were lost since the notice that they are.
    fn report(&self, output: &mut Output) {
        let loss = std::mem::take(&mut self.lock().loss);
        if loss.lines == 0 {
            return;
        }
        let text = match loss.lines {
            1 => format!("1 line of {} was lost", self.name),
            lines => format!("{lines} lines of {} were lost", self.name),
        };
        match &self.notices {
            Some(notices) => notices.say(text),
            None => drop(output.write(format!("{text}\n").as_bytes())), // lost as the others
        }
    }

    fn notice(&self, text: &str) {
        if let Some(notices) = &self.notices {
            notices.say(format_args!("{} {text}", self.name));
        }
    }

    fn count(&self, lines: &str) {
        self.lost.fetch_add(count(lines), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(lines: &str) -> u64 {
    lines.lines().count() as u64
}

fn now() -> Instant {
    SystemClock.now().mono
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outlet").field(&self.0.name).finish()
    }
}

/// The next thing for the thread to do.
enum NextJob {
    Job(Job),
    /// The number of lost lines is due.
    Report,
    End,
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, Write};

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    use super::*;

    const LINE: &str = "a line of a hundred bytes, or so, which stands for what a proxy says ............................";
    const CAPACITY: usize = 4096;
    const PATIENCE: Duration = Duration::from_secs(60);

    /// An outlet to a pipe, which is full already or empty.
    fn outlet(full: bool) -> (Outlet, BufReader<PipeReader>) {
        let (reader, mut writer) = io::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags.union(OFlags::NONBLOCK)).unwrap();
        let filling = [[b'-'; 4095].as_slice(), b"\n"].concat(); // as much as is written at once
        while full && writer.write(&filling).is_ok() {}
        fcntl_setfl(&writer, flags).unwrap();
        let outlet = Outlet::new("standard error", CAPACITY, None);
        outlet.start(Output::of(writer)).unwrap();
        (outlet, BufReader::new(reader))
    }

    /// The lines that come, without those with which the pipe was filled.
    fn lines(reader: BufReader<PipeReader>) -> impl Iterator<Item = String> {
        reader.lines().map(Result::unwrap).filter(|line| !line.starts_with('-'))
    }

    #[test]
    fn outlet_that_is_not_read_takes_lines_up_to_its_capacity() {
        let (outlet, _reader) = outlet(true);
        let line = || format!("{LINE}\n");
        let taken = (0..1000).take_while(|_| outlet.write(&mut line())).count();
        assert_eq!(taken, CAPACITY / line().len());
        assert!(!outlet.write(&mut "a\nb\n".repeat(1000)));
        assert_eq!(outlet.lost(), 2001);
        outlet.finish(Duration::ZERO);
        assert!(!outlet.write(&mut "x\n".to_owned()), "it has been finished");
        assert_eq!(outlet.lost(), 2002);
    }

    #[test]
    fn outlet_with_nothing_to_do_takes_more_lines_than_may_wait() {
        let (outlet, reader) = outlet(true);
        let mut long = format!("{LINE}\n").repeat(100);
        assert!(long.len() > CAPACITY && outlet.write(&mut long));
        let reading = thread::spawn(|| lines(reader).count());
        outlet.finish(PATIENCE);
        drop(outlet);
        assert_eq!(reading.join().unwrap(), 100);
    }

    #[test]
    fn lost_lines_are_reported_where_they_are_missing() {
        let (outlet, reader) = outlet(true);
        let before = (0..1000).take_while(|_| outlet.write(&mut format!("{LINE}\n"))).count();
        let reading = thread::spawn(|| lines(reader).collect::<Vec<_>>());
        outlet.finish(PATIENCE);
        drop(outlet);
        let read = reading.join().unwrap();
        let report = read.iter().filter(|line| *line != LINE).collect::<Vec<_>>();
        assert_eq!(report, ["1 line of standard error was lost"]);
        assert_eq!(read.len(), before + 1);
    }

    #[test]
    fn lines_of_a_broken_pipe_are_counted() {
        let (outlet, reader) = outlet(false);
        drop(reader);
        outlet.write(&mut "a\nb\n".to_owned());
        outlet.finish(PATIENCE);
        assert_eq!(outlet.lost(), 2);
    }
}
