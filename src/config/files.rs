//! Files that options name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

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

/// All that a file holds, wiped when it is dropped: hashes that serve instead of passwords. No copy is
/// left where it has grown.
///
/// # Errors
/// As [`read`].
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
    fn secrets_are_read_whole_whatever_the_size_that_the_file_claims() {
        assert_eq!(*read_secret("/etc/passwd").unwrap(), read("/etc/passwd").unwrap());
        let grown = read_secret("/proc/self/maps").unwrap(); // claims to be empty
        assert!(grown.ends_with(b"\n") && grown.len() > 100);
    }

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
