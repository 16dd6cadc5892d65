//! Outputs of lines: standard output or error, a file, or nothing. Every write may wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::config::LogTarget;

/// An open target.
#[derive(Debug)]
pub(super) struct Output {
    target: LogTarget,
    /// The file; `None` if lines are discarded.
    file: Option<File>,
    /// True if the last write ended within a line.
    torn: bool,
}

impl Output {
    /// Opens `target` for appending. A pipe without a reader is an error, because opening it would
    /// wait for one.
    ///
    /// # Errors
    /// The errors of `open(2)`, with the path.
    pub(super) fn open(target: LogTarget) -> io::Result<Self> {
        let file = match &target {
            LogTarget::Stdout => Some(io::stdout().as_fd().try_clone_to_owned()?.into()),
            LogTarget::Off => None,
            LogTarget::File(path) => Some(append(path).map_err(|error| about(path, &error))?),
        };
        Ok(Self { target, file, torn: false })
    }

    /// Opens standard error. Its `target` is not meaningful.
    ///
    /// # Errors
    /// The errors of `dup(2)`.
    pub(super) fn stderr() -> io::Result<Self> {
        let file = io::stderr().as_fd().try_clone_to_owned()?.into();
        Ok(Self { target: LogTarget::Off, file: Some(file), torn: false })
    }

    #[cfg(test)]
    pub(super) fn of(pipe: io::PipeWriter) -> Self {
        let file = Some(std::os::fd::OwnedFd::from(pipe).into());
        Self { target: LogTarget::Off, file, torn: false }
    }

    /// Returns the open file, if any.
    pub(super) const fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Returns the target that was opened.
    pub(super) const fn target(&self) -> &LogTarget {
        &self.target
    }

    /// Writes `lines`, and waits as long as necessary.
    ///
    /// # Errors
    /// Returns the error of `write(2)`, with the number of bytes in lines that were not written as
    /// a whole. A line that was cut counts as not written, and its end is written before the next
    /// line.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            write(file, b"\n").map_err(|(_, error)| (lines.len(), error))?;
            self.torn = false;
        }
        write(file, lines).map_err(|(written, error)| {
            let whole =
                lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            self.torn = whole < written;
            (lines.len() - whole, error)
        })
    }
}

/// Writes all bytes. On an error, also returns the number of bytes written.
fn write(file: &mut File, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) => {
                await_room(file, error).map_err(|error| (written, error))?;
            }
        }
    }
    Ok(())
}

/// Waits until a pipe or terminal that another process made nonblocking accepts bytes again.
/// Returns `error` if it is of another kind.
fn await_room(file: &File, error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            poll(&mut [PollFd::new(file, PollFlags::OUT)], None)?;
            Ok(())
        }
        _ => Err(error),
    }
}

fn append(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)?.difference(OFlags::NONBLOCK))?;
    Ok(file)
}

fn about(path: &str, error: &io::Error) -> io::Error {
    let reader = if error.raw_os_error() == Some(libc::ENXIO) {
        " (no process reads this pipe)"
    } else {
        ""
    };
    io::Error::new(error.kind(), format!("{path}: {error}{reader}"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pipe_without_a_reader_is_an_error() {
        let path = std::env::temp_dir().join(format!("tidegate-fifo-{}", std::process::id()));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let target = LogTarget::File(path.to_str().unwrap().to_owned());
        let error = Output::open(target).unwrap_err().to_string();
        std::fs::remove_file(path).unwrap();
        assert!(error.ends_with("(no process reads this pipe)"), "{error}");
    }

    #[test]
    fn write_waits_for_nonblocking_pipe() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap().union(OFlags::NONBLOCK)).unwrap();
        let mut output = Output::of(writer);
        let text = vec![b'x'; 1 << 20]; // more than a pipe holds
        let length = text.len();
        let writing = std::thread::spawn(move || output.write(&text).map_err(|(rest, _)| rest));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(writing.join().unwrap(), Ok(()));
        assert_eq!(read.len(), length);
    }

    #[test]
    fn unwritten_lines_are_counted_and_cut_line_is_ended() {
        let lines = b"first\nsecond\nthird\n";
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut output = Output { target: LogTarget::Off, file: Some(full), torn: false };
        assert_eq!(output.write(lines).unwrap_err().0, lines.len());
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output { torn: true, ..Output::of(writer) };
        output.write(lines).unwrap();
        drop(output);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "\nfirst\nsecond\nthird\n");
    }
}
