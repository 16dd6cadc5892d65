//! Files of folders: opened and read on the loop if the system has them in memory, otherwise by a
//! thread.

mod find;
mod jobs;
mod open_file;

pub(crate) use find::{Found, Wanted, find, is_missing};
pub(crate) use jobs::{FileAnswer, FileJobs, JobId};
pub use jobs::{FileDone, FileReader, FileWork, ReadAtOnce};
pub(crate) use open_file::OpenFile;
