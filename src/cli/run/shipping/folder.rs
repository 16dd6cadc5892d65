//! The folder of a spool: a file for each batch, and a lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::cli::run::identity::Identity;
use crate::shipping::{Segment, decode_segment, encode_segment};

/// End of the names of files with batches.
const END: &str = ".lines";
/// End of the names of files that are being written.
const UNFINISHED: &str = ".lines.new";

/// The folder, with its lock.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    path: PathBuf,
    /// Locked by the process that uses the folder, until it ends.
    lock: File,
}

impl SpoolFolder {
    /// Creates the folder if it does not exist.
    ///
    /// # Errors
    /// Fails if the folder cannot be created, or files in it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let wrong = |error| io::Error::other(format!("--log-spool {}: {error}", path.display()));
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(wrong)?;
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(path.join("lock")).map_err(wrong)?;
        let path = path.canonicalize().map_err(wrong)?;
        Ok(Self { path, lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a user the owner of the folder and of the files in it.
    ///
    /// # Errors
    /// Fails if the owner cannot be changed.
    pub(super) fn hand_over(&self, identity: &Identity) -> io::Result<()> {
        identity.own_at(&self.path)?;
        fs::read_dir(&self.path)?.try_for_each(|entry| identity.own_at(&entry?.path()))
    }

    /// Takes the folder for this process. Returns the batches in it, oldest first; `None` while another process
    /// has the folder.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(super) fn take(&self) -> io::Result<Option<Vec<Segment>>> {
        match self.lock.try_lock() {
            Ok(()) => self.list().map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?; // its process was killed
            } else if let Some(number) = number_of(&name) {
                segments.push(Segment { number, bytes: entry.metadata()?.len(), lines: 0 });
            }
        }
        segments.sort_by_key(|segment| segment.number);
        Ok(segments)
    }

    /// Writes a batch to its file, as a whole. The disk is not waited for: after a loss of power, the checksum
    /// tells whether the file is complete.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(super) fn store(&self, number: u64, lines: &str) -> io::Result<()> {
        let file = self.file(number);
        let beside = PathBuf::from(format!("{}.new", file.display()));
        let mut options = OpenOptions::new();
        let mut new = options.create_new(true).write(true).mode(0o600).open(&beside)?;
        let written = new.write_all(&encode_segment(lines));
        let stored = written.and_then(|()| fs::rename(&beside, &file));
        if stored.is_err() {
            let _ = fs::remove_file(&beside); // a part would take room on a full disk
        }
        stored
    }

    /// Returns the lines of a file.
    ///
    /// # Errors
    /// The number of lines that are lost, and the reason.
    pub(super) fn load(&self, number: u64) -> Result<String, (u64, String)> {
        let file = self.file(number);
        let content =
            fs::read(&file).map_err(|error| (1, format!("{}: {error}", file.display())))?;
        decode_segment(&content).map_err(|lines| (lines, format!("{} is damaged", file.display())))
    }

    /// Removes a file. One that cannot be removed is sent again by the next process.
    pub(super) fn remove(&self, number: u64) {
        let _ = fs::remove_file(self.file(number));
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:016x}{END}"))
    }
}

/// Returns the number of a file with a batch.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(END).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}
