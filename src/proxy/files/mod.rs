//! Files of folders: opened and read on the loop if the system has them in memory, otherwise by a
//! thread.

mod find;
mod jobs;

pub(crate) use find::{Found, OpenFile, Wanted, find, is_missing};
pub(crate) use jobs::{FileAnswer, FileJobs, JobId};
pub use jobs::{FileDone, FileReader, FileWork, ReadAtOnce};
