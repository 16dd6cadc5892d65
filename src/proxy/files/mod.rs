//! Files of folders: opened and read on the loop if the system has them in memory, otherwise by a
//! thread.

mod answer;
mod find;
mod open_file;

pub(crate) use answer::FileAnswer;
pub(crate) use find::{Found, Wanted, find};
pub(crate) use open_file::OpenFile;
