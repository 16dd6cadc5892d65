//! Jobs of threads that open and read files.

use std::collections::HashMap;
use std::fmt;
use std::io;

use crate::reactor::{Token, Wake};

use super::find::Found;

/// Number of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobId(u64);

/// Result of a job.
#[derive(Debug)]
pub(crate) enum FileAnswer {
    Found(io::Result<Found>),
    /// A buffer, and the number of bytes read into it.
    Read(Vec<u8>, io::Result<usize>),
}

/// Result of a job, as mail.
#[derive(Debug)]
pub struct FileDone {
    id: JobId,
    answer: FileAnswer,
}

/// Work of a job.
pub type FileWork = Box<dyn FnOnce() -> FileDone + Send>;

/// Opens and reads files off the loop, since a disk may take long. Results arrive as mail.
pub trait FileReader: fmt::Debug {
    /// Begins a job. Returns the result if the job is done already.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    fn run(&mut self, work: FileWork) -> io::Result<Option<FileDone>>;
}

/// Reads files at once, for programs whose files are in memory, and for simulations.
#[derive(Clone, Copy, Debug)]
pub struct ReadAtOnce;

impl FileReader for ReadAtOnce {
    fn run(&mut self, work: FileWork) -> io::Result<Option<FileDone>> {
        Ok(Some(work()))
    }
}

/// Jobs under way, and results that were not taken yet. A client has one job at most.
#[derive(Debug)]
pub(crate) struct FileJobs {
    reader: Box<dyn FileReader>,
    next: u64,
    jobs: HashMap<JobId, Job>,
}

#[derive(Debug)]
struct Job {
    client: Token,
    answer: Option<FileAnswer>,
}

impl FileJobs {
    pub(crate) fn new(reader: Box<dyn FileReader>) -> Self {
        Self { reader, next: 0, jobs: HashMap::new() }
    }

    /// Begins a job for `client`, which is woken once it is done.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(crate) fn begin(
        &mut self,
        client: Token,
        work: impl FnOnce() -> FileAnswer + Send + 'static,
        wake: &mut impl Wake,
    ) -> io::Result<JobId> {
        let id = JobId(self.next);
        self.next += 1;
        let done = self.reader.run(Box::new(move || FileDone { id, answer: work() }))?;
        self.jobs.insert(id, Job { client, answer: None });
        done.into_iter().for_each(|done| self.done(done, wake));
        Ok(id)
    }

    /// Takes the result of a job, if it is done.
    pub(crate) fn take(&mut self, id: JobId) -> Option<FileAnswer> {
        let answer = self.jobs.get_mut(&id)?.answer.take()?;
        self.jobs.remove(&id);
        Some(answer)
    }

    /// Forgets a job, whose result is not wanted any more.
    pub(crate) fn leave(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    /// Records a result, and wakes the client.
    pub(crate) fn done(&mut self, FileDone { id, answer }: FileDone, wake: &mut impl Wake) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.answer = Some(answer);
            wake.wake(job.client);
        }
    }
}
