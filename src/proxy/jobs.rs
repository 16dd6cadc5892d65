//! Jobs that would hold up the loop: they run elsewhere, and their results arrive as mail.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::io;

use crate::reactor::{Token, Wake};

/// Number of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobId(u64);

/// Lane of a job: jobs of one lane do not wait for jobs of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Files are opened and read.
    Files,
    /// Handlers of applications answer requests.
    Handlers,
    /// Content is compressed.
    Coding,
}

impl Lane {
    /// All lanes, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Files, Self::Handlers, Self::Coding];
}

/// Result of a job, as mail.
pub struct JobDone {
    id: JobId,
    lane: Lane,
    answer: Box<dyn Any + Send>,
}

/// Work of a job.
pub type JobWork = Box<dyn FnOnce() -> JobDone + Send>;

/// Runs jobs off the loop.
pub trait JobRunner: fmt::Debug {
    /// Begins a job. Returns the result if the job is done already.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    fn run(&mut self, lane: Lane, work: JobWork) -> io::Result<Option<JobDone>>;
}

/// Runs jobs at once, for programs whose jobs do not wait, and for simulations.
#[derive(Clone, Copy, Debug)]
pub struct RunAtOnce;

impl JobRunner for RunAtOnce {
    fn run(&mut self, _: Lane, work: JobWork) -> io::Result<Option<JobDone>> {
        Ok(Some(work()))
    }
}

/// Jobs under way, and results that were not taken yet. An object has one job at most.
#[derive(Debug)]
pub(crate) struct Jobs {
    runner: Box<dyn JobRunner>,
    next: u64,
    jobs: HashMap<JobId, Job>,
    /// Jobs of handlers under way, with those whose result is not wanted any more.
    handlers: usize,
}

#[derive(Debug)]
struct Job {
    owner: Token,
    answer: Option<Box<dyn Any + Send>>,
}

impl Jobs {
    pub(crate) fn new(runner: Box<dyn JobRunner>) -> Self {
        Self { runner, next: 0, jobs: HashMap::new(), handlers: 0 }
    }

    /// Begins a job for `owner`, which is woken once it is done.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(crate) fn begin<A: Send + 'static>(
        &mut self,
        (lane, owner): (Lane, Token),
        work: impl FnOnce() -> A + Send + 'static,
        wake: &mut impl Wake,
    ) -> io::Result<JobId> {
        let id = JobId(self.next);
        self.next += 1;
        let work = move || JobDone { id, lane, answer: Box::new(work()) };
        let done = self.runner.run(lane, Box::new(work))?;
        self.jobs.insert(id, Job { owner, answer: None });
        self.handlers += usize::from(lane == Lane::Handlers);
        done.into_iter().for_each(|done| drop(self.done(done, wake))); // it is wanted
        Ok(id)
    }

    /// Takes the result of a job, if it is done.
    pub(crate) fn take<A: 'static>(&mut self, id: JobId) -> Option<A> {
        let answer = self.jobs.get_mut(&id)?.answer.take()?;
        self.jobs.remove(&id);
        Some(*answer.downcast().expect("a job has one type of result"))
    }

    /// Forgets a job, whose result is not wanted any more.
    pub(crate) fn leave(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    /// Records a result, and wakes its owner. Returns a result that is not wanted any more: to drop it may
    /// take long.
    pub(crate) fn done(
        &mut self,
        JobDone { id, lane, answer }: JobDone,
        wake: &mut impl Wake,
    ) -> Option<Box<dyn Any + Send>> {
        self.handlers -= usize::from(lane == Lane::Handlers);
        match self.jobs.get_mut(&id) {
            None => Some(answer),
            Some(job) => {
                wake.wake(job.owner);
                job.answer.replace(answer)
            }
        }
    }

    /// Returns the number of handlers that are running or wait for a thread.
    pub(crate) const fn handlers(&self) -> usize {
        self.handlers
    }
}

impl fmt::Debug for JobDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobDone").field("id", &self.id).finish_non_exhaustive()
    }
}
