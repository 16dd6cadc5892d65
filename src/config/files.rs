//! Files that options name.

use std::fs::{File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

/// Version of a file: another one if the file is changed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion(u64);

impl FileVersion {
    /// Returns the version of a file with these attributes, some of which differ for another version.
    pub(super) fn of(file: &Metadata) -> Self {
        let mut hasher = DefaultHasher::new();
        let attributes = (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec());
        attributes.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the version of the file at a path; `None` if there is none.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|file| Self::of(&file))
    }

    /// Returns the version as a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Opens a file for reading. Pipes and devices are rejected: a pipe might never be written, a
/// device might never end, and all files are read again on reload.
///
/// # Errors
/// Errors of `open(2)`, or an error if the file is not a regular one.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let message = "not a regular file; it must be one, because it is read again on reload";
    Err(io::Error::other(message))
}

/// Returns the content of a file that holds password hashes, or other equivalents of passwords. The
/// content is wiped on drop, and no copy is left behind if the buffer has to grow.
///
/// # Errors
/// Errors of [`read`].
pub fn read_secret(path: impl AsRef<Path>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = open(path.as_ref())?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(vec![0; size.saturating_add(1)]);
    let mut filled = 0;
    loop {
        match file.read(&mut content[filled..])? {
            0 => break,
            read => filled += read,
        }
        if filled == content.len() {
            let mut larger = Zeroizing::new(vec![0; filled * 2]);
            larger[..filled].copy_from_slice(&content);
            content = larger;
        }
    }
    content.truncate(filled);
    Ok(content)
}

/// Returns the content of a file.
///
/// # Errors
/// Errors of `open(2)` and `read(2)`, or an error if the file is not a regular one.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path.as_ref())?.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_whole_whatever_the_reported_size() {
        assert_eq!(*read_secret("/etc/passwd").unwrap(), read("/etc/passwd").unwrap());
        let grown = read_secret("/proc/self/maps").unwrap(); // claims to be empty
        assert!(grown.ends_with(b"\n") && grown.len() > 100);
    }

    #[test]
    fn devices_and_pipes_are_rejected() {
        for path in ["/dev/zero", "/", "/proc/self/fd/0/none"] {
            assert!(read(path).is_err(), "{path}");
        }
        let (reader, _writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        assert!(read(path).unwrap_err().to_string().contains("regular"));
    }
}
