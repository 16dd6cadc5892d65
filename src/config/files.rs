//! Files that options name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file to read it. Pipes and devices are refused: one might never be written, or never end,
/// and all of them are read again on reload.
///
/// # Errors
/// As `open(2)`, or if it is no regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let message = "this is no regular file; it has to be one, as it is read again on reload";
    Err(io::Error::other(message))
}

/// All that a file holds.
///
/// # Errors
/// As `open(2)` and `read(2)`; what is no regular file is refused.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path.as_ref())?.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_might_never_end_is_not_waited_for() {
        for path in ["/dev/zero", "/", "/proc/self/fd/0/none"] {
            assert!(read(path).is_err(), "{path}");
        }
        let (reader, _writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        assert!(read(path).unwrap_err().to_string().contains("regular"));
    }
}
