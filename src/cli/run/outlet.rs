//! Lines written to a file, a pipe or a terminal by a thread, so that neither disk nor reader
//! blocks the loop.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{LogOutput, LogTarget};
use crate::proxy::LineForm;
use crate::reactor::{Clock, SystemClock};

use super::output::Output;
use super::unwritten::Unwritten;

/// Shortest time between two notices about lost lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longest time between two attempts to write the last lines.
const LAST_PAUSE: Duration = Duration::from_millis(50);

/// A bounded queue of lines for one output, and a thread that writes them. Clones share both.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    /// Name of the output in notices.
    name: &'static str,
    /// Limit of the bytes in the queue.
    capacity: usize,
    /// Outlet for notices about lost lines. Without it, the output itself reports them.
    notices: Option<Outlet>,
    queue: Mutex<Queue>,
    /// Signalled when the thread has something to do.
    more: Condvar,
    /// Signalled when the thread has ended.
    ended: Condvar,
    lost: AtomicU64,
    /// Form of the lines for the present target, an index of `FORMS`.
    form: AtomicU8,
}

const FORMS: [LineForm; 3] = [LineForm::Plain, LineForm::Marked, LineForm::Json];

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Bytes in `jobs` and in the lines being written.
    waiting: usize,
    /// Time before which the first lines are not written again.
    retry_at: Option<Instant>,
    loss: Loss,
    closing: bool,
    running: bool,
}

/// Lines that were lost and are not reported yet.
#[derive(Default)]
struct Loss {
    lines: u64,
    /// Lines of which only the beginning was written.
    cut: u64,
    /// Time of the first loss.
    since: Option<Instant>,
    /// True if the last write failed.
    fails: bool,
}

enum Job {
    Write(String),
    /// Opens the present target again.
    Reopen,
    /// Opens another target.
    Redirect(LogOutput),
}

impl Outlet {
    /// Creates an outlet without a thread: lines wait until [`start`](Self::start), up to
    /// `capacity` bytes. `notices` takes reports of lost lines; without it, the output itself does
    /// once it accepts lines again.
    pub(super) fn new(name: &'static str, capacity: usize, notices: Option<Self>) -> Self {
        Self(Arc::new(Shared {
            name,
            capacity,
            notices,
            queue: Mutex::default(),
            more: Condvar::new(),
            ended: Condvar::new(),
            lost: AtomicU64::new(0),
            form: AtomicU8::new(0),
        }))
    }

    /// Starts the thread, which writes to `output`.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn start(&self, output: Output) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        self.0.take_form_of(output.place());
        self.0.lock().running = true;
        let started = thread::Builder::new().name(self.0.name.replace(' ', "-"));
        let started = started.spawn(move || shared.work(output));
        started.map(drop).inspect_err(|_| self.0.lock().running = false)
    }

    /// Queues whole lines and empties `lines`. Returns false if the queue has no room; the lines
    /// are then dropped and counted.
    pub(super) fn write(&self, lines: &mut String) -> bool {
        let mut queue = self.0.lock();
        // An empty queue accepts the lines of one turn, however many there are.
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

    /// Queues a notice: `text` and the end of its last line.
    pub(super) fn say(&self, text: impl Display) {
        self.write(&mut format!("{text}\n"));
    }

    /// Returns the form of the lines that the output takes.
    pub(super) fn form(&self) -> LineForm {
        FORMS[usize::from(self.0.form.load(Ordering::Relaxed))]
    }

    /// Opens the target again, for the lines that follow. Log rotation needs this.
    pub(super) fn reopen(&self) {
        let mut queue = self.0.lock();
        queue.retry_at = None;
        if matches!(queue.jobs.back(), None | Some(Job::Write(_))) {
            queue.jobs.push_back(Job::Reopen);
        }
        self.0.more.notify_one();
    }

    /// Writes the lines that follow to `output`, if it can be opened. Lines that an output does not take yet
    /// are tried once more.
    pub(super) fn redirect(&self, output: LogOutput) {
        self.0.take_form_of(&output);
        let mut queue = self.0.lock();
        queue.retry_at = None;
        if matches!(queue.jobs.back(), Some(Job::Reopen | Job::Redirect(_))) {
            queue.jobs.pop_back();
        }
        queue.jobs.push_back(Job::Redirect(output));
        self.0.more.notify_one();
    }

    /// Returns the number of lines that were dropped, or could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, at most for `patience`. Accepts no lines afterwards.
    pub(super) fn finish(&self, patience: Duration) {
        let mut queue = self.0.lock();
        queue.closing = true;
        queue.retry_at = None;
        self.0.more.notify_one();
        let runs = |queue: &mut Queue| queue.running;
        let waited = self.0.ended.wait_timeout_while(queue, patience, runs);
        let (mut queue, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            // Lines that wait for an output are lost with the process.
            let waiting = queue.jobs.iter().map(|job| match job {
                Job::Write(lines) => count(lines),
                Job::Reopen | Job::Redirect(_) => 0,
            });
            let lines = waiting.sum::<u64>() + std::mem::take(&mut queue.loss.lines);
            drop(queue);
            if lines > 0 {
                self.0
                    .notice(&format!("has lost {lines} lines, which could not be written in time"));
            }
        }
    }
}

impl Loss {
    /// Adds `lines`. Returns true if they are the first.
    fn add(&mut self, lines: &str) -> bool {
        self.lines += count(lines);
        let first = self.since.is_none();
        self.since.get_or_insert_with(now);
        first
    }

    /// Returns the time until the number of lost lines is to be reported, `interval` after the
    /// first loss. `None` if no line was lost, or if the report could not be written.
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
                    let place = output.place().clone();
                    self.open(place, &mut output);
                }
                NextJob::Job(Job::Redirect(place)) => self.open(place, &mut output),
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
        // An output without notices reports missing lines at once, where they are missing.
        let interval = if self.notices.is_some() { INTERVAL } else { Duration::ZERO };
        let mut queue = self.lock();
        loop {
            let due = queue.loss.due_in(interval);
            if due.is_some_and(|due| due.is_zero()) {
                return NextJob::Report;
            }
            let retry = queue.retry_at.map(|at| at.saturating_duration_since(now()));
            if retry.is_none_or(|left| left.is_zero()) {
                queue.retry_at = None;
                if let Some(job) = queue.jobs.pop_front() {
                    return NextJob::Job(job);
                }
                if queue.closing {
                    return NextJob::End;
                }
            }
            let retry = retry.filter(|left| !left.is_zero());
            queue = match due.into_iter().chain(retry).min() {
                Some(due) => {
                    self.more.wait_timeout(queue, due).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn write(&self, lines: &str, output: &mut Output) {
        let written = output.write(lines.as_bytes());
        if let Some(text) = output.take_notice() {
            self.notice(&text);
        }
        let (cut, dropped) = output.take_losses();
        self.lost.fetch_add(dropped, Ordering::Relaxed);
        let mut queue = self.lock();
        if cut + dropped > 0 {
            queue.loss.cut += cut;
            queue.loss.lines += dropped;
            queue.loss.since.get_or_insert_with(now);
        }
        let rest = written.as_ref().err().map_or(0, |unwritten| unwritten.rest);
        let rest = &lines[lines.len() - rest..];
        queue.waiting -= lines.len() - rest.len();
        let Err(Unwritten { error, retry, .. }) = written else {
            queue.loss.fails = false;
            return;
        };
        let moves = queue.jobs.iter().any(|job| matches!(job, Job::Redirect(_)));
        if let Some(pause) = retry.filter(|_| !moves) {
            let pause = if queue.closing { pause.min(LAST_PAUSE) } else { pause };
            queue.retry_at = Some(now() + pause);
            queue.jobs.push_front(Job::Write(rest.to_owned()));
            return;
        }
        queue.waiting -= rest.len();
        queue.loss.fails = retry.is_none();
        let first = queue.loss.add(rest);
        drop(queue);
        self.count(rest);
        if first {
            self.notice(&format!("cannot be written, lines are lost: {error}"));
        }
    }

    fn open(&self, place: LogOutput, output: &mut Output) {
        match Output::open(place) {
            Ok(opened) => {
                self.report(output);
                *output = opened;
            }
            Err(error) => {
                self.take_form_of(output.place());
                self.notice(&format!(
                    "stays where it was, because a file cannot be opened: {error}"
                ));
            }
        }
    }

    /// Has lines arrive in the form that an output takes.
    fn take_form_of(&self, output: &LogOutput) {
        let form = match output.target {
            LogTarget::Syslog(_) => 1,
            LogTarget::Journal(_) => 2,
            LogTarget::Stdout | LogTarget::File(_) | LogTarget::Off => 0,
        };
        self.form.store(form, Ordering::Relaxed);
    }

    /// Reports the number of lines lost since the last report.
    fn report(&self, output: &mut Output) {
        let loss = std::mem::take(&mut self.lock().loss);
        for (number, what) in [(loss.lines, "lost"), (loss.cut, "cut")] {
            let text = match number {
                0 => continue,
                1 => format!("1 line of {} was {what}", self.name),
                lines => format!("{lines} lines of {} were {what}", self.name),
            };
            match &self.notices {
                Some(notices) => notices.say(text),
                // If this fails, the report is lost like the lines.
                None => drop(output.write(format!("{text}\n").as_bytes())),
            }
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

/// Next task of the thread.
enum NextJob {
    Job(Job),
    /// Report of lost lines.
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

    /// Creates an outlet to a pipe that is either full or empty.
    fn outlet(full: bool) -> (Outlet, BufReader<PipeReader>) {
        let (reader, mut writer) = io::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags.union(OFlags::NONBLOCK)).unwrap();
        let filling = [[b'-'; 4095].as_slice(), b"\n"].concat(); // PIPE_BUF: written as a whole
        while full && writer.write(&filling).is_ok() {}
        fcntl_setfl(&writer, flags).unwrap();
        let outlet = Outlet::new("standard error", CAPACITY, None);
        outlet.start(Output::of(writer)).unwrap();
        (outlet, BufReader::new(reader))
    }

    /// Returns the lines read from the pipe, without those that filled it.
    fn lines(reader: BufReader<PipeReader>) -> impl Iterator<Item = String> {
        reader.lines().map(Result::unwrap).filter(|line| !line.starts_with('-'))
    }

    #[test]
    fn unread_outlet_accepts_lines_up_to_its_capacity() {
        let (outlet, _reader) = outlet(true);
        let line = || format!("{LINE}\n");
        let taken = (0..1000).take_while(|_| outlet.write(&mut line())).count();
        assert_eq!(taken, CAPACITY / line().len());
        assert!(!outlet.write(&mut "a\nb\n".repeat(1000)));
        assert_eq!(outlet.lost(), 2001);
        outlet.finish(Duration::ZERO);
        assert!(!outlet.write(&mut "x\n".to_owned()), "a finished outlet accepts no lines");
        assert_eq!(outlet.lost(), 2002);
    }

    #[test]
    fn idle_outlet_accepts_lines_beyond_its_capacity() {
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
