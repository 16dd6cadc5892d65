//! Files of lines: appended to, and rotated by size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::config::Rotation;

use super::unwritten::Unwritten;

/// A file, pipe or terminal that takes lines.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// True if the last write ended within a line.
    torn: bool,
    /// Path and rotation of a file that is rotated.
    rotated: Option<(PathBuf, Rotation)>,
    /// True if the last rotation failed.
    fails: bool,
    notice: Option<String>,
}

impl LogFile {
    /// Opens the file at `path` for appending. A pipe without a reader is an error, because opening it
    /// would wait for one.
    ///
    /// # Errors
    /// The errors of `open(2)`, with the path.
    pub(super) fn open(path: &str, rotation: Option<Rotation>) -> io::Result<Self> {
        let file = append(Path::new(path)).map_err(|error| about(path, &error))?;
        let is_regular = file.metadata()?.is_file();
        let rotated = rotation.filter(|_| is_regular).map(|rotation| (path.into(), rotation));
        Ok(Self { rotated, ..Self::of(file) })
    }

    /// Returns an open file, which is never rotated.
    pub(super) const fn of(file: File) -> Self {
        Self { file, torn: false, rotated: None, fails: false, notice: None }
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Returns what to tell the operator, once.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// Writes `lines`, and waits as long as necessary. A line goes to one file as a whole.
    ///
    /// # Errors
    /// Returns the error of `write(2)`. A line that was cut counts as not written, and its end is written
    /// before the next line.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let mut rest = lines;
        while !rest.is_empty() {
            let part = self.fitting(rest);
            let behind = rest.len() - part;
            self.append(&rest[..part])
                .map_err(|(left, error)| Unwritten::lost(left + behind, error))?;
            rest = &rest[part..];
        }
        Ok(())
    }

    /// Returns the length of the first lines for the present file, at least one. Rotates the file before, if
    /// that line does not fit.
    fn fitting(&mut self, lines: &[u8]) -> usize {
        let Some((path, rotation)) = &self.rotated else { return lines.len() };
        let first = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
        let mut size = self.file.metadata().map_or(0, |data| data.len());
        let mut tries = 2; // another process may have begun the present file
        while tries > 0 && size > 0 && size + first as u64 > rotation.size {
            let result = rotate(&self.file, path, rotation.keep);
            let failed = result.as_ref().err().map(|error| {
                format!("is not rotated: {}: {error}; lines are added to it", path.display())
            });
            self.notice = failed.filter(|_| !self.fails);
            self.fails = result.is_err();
            let Ok(file) = result else { return lines.len() };
            (self.file, self.torn) = (file, false);
            size = self.file.metadata().map_or(0, |data| data.len());
            tries -= 1;
        }
        let room = usize::try_from(rotation.size.saturating_sub(size)).unwrap_or(usize::MAX);
        let whole = lines[..room.min(lines.len())].iter().rposition(|&byte| byte == b'\n');
        whole.map_or(first, |at| at + 1)
    }

    /// Writes lines to the present file. On an error, also returns the number of bytes that were not
    /// written as whole lines.
    fn append(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        if self.torn {
            write(&mut self.file, b"\n").map_err(|(_, error)| (lines.len(), error))?;
            self.torn = false;
        }
        write(&mut self.file, lines).map_err(|(written, error)| {
            let whole =
                lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            self.torn = whole < written;
            (lines.len() - whole, error)
        })
    }
}

/// Renames the files of earlier lines, the oldest of which may be replaced, and begins a new file at `path`,
/// where a file is at any time. Returns the new file; or the present one, if another process has rotated
/// `file` before.
fn rotate(file: &File, path: &Path, keep: usize) -> io::Result<File> {
    file.lock()?; // of another process that appends to the same file
    let (own, present) = (file.metadata()?, fs::metadata(path));
    let is_present = |data: fs::Metadata| (data.dev(), data.ino()) == (own.dev(), own.ino());
    if !present.is_ok_and(is_present) {
        return append(path);
    }
    let beside = |end: &str| PathBuf::from(format!("{}.{end}", path.display()));
    let numbered = |number: usize| beside(&number.to_string());
    let new = beside("new");
    absent(fs::remove_file(&new))?; // what a process has left that was killed
    let mut options = OpenOptions::new();
    let file = options.create_new(true).append(true).open(&new)?;
    file.set_permissions(own.permissions())?;
    for number in (1..keep).rev() {
        absent(fs::rename(numbered(number), numbered(number + 1)))?;
    }
    let link = beside("old");
    absent(fs::remove_file(&link))?;
    let linked = fs::hard_link(path, &link).and_then(|()| fs::rename(&link, numbered(1)));
    // Without links, there is no file at `path` for a moment.
    linked.or_else(|_| fs::rename(path, numbered(1)))?;
    fs::rename(&new, path)?;
    Ok(file)
}

/// Accepts that there is no file.
fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
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

fn append(path: &Path) -> io::Result<File> {
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
    use std::os::fd::OwnedFd;

    use super::*;

    fn of(pipe: io::PipeWriter) -> LogFile {
        LogFile::of(OwnedFd::from(pipe).into())
    }

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
        let error = LogFile::open(path.to_str().unwrap(), None).unwrap_err().to_string();
        fs::remove_file(path).unwrap();
        assert!(error.ends_with("(no process reads this pipe)"), "{error}");
    }

    #[test]
    fn write_waits_for_nonblocking_pipe() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap().union(OFlags::NONBLOCK)).unwrap();
        let mut output = of(writer);
        let text = vec![b'x'; 1 << 20]; // more than a pipe holds
        let length = text.len();
        let writing = std::thread::spawn(move || output.write(&text).map_err(|left| left.rest));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(writing.join().unwrap(), Ok(()));
        assert_eq!(read.len(), length);
    }

    #[test]
    fn unwritten_lines_are_counted_and_cut_line_is_ended() {
        let lines = b"first\nsecond\nthird\n";
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut output = LogFile::of(full);
        assert_eq!(output.write(lines).unwrap_err().rest, lines.len());
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = LogFile { torn: true, ..of(writer) };
        output.write(lines).unwrap();
        drop(output);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "\nfirst\nsecond\nthird\n");
    }

    /// Creates a folder, and returns the path of a log in it.
    fn log_in(name: &str) -> (PathBuf, String) {
        let folder = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.log").to_str().unwrap().to_owned();
        (folder, path)
    }

    fn read(path: &str) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn full_file_is_rotated_between_lines() {
        let (folder, path) = log_in("rotate");
        let rotation = Rotation { size: 12, keep: 2 };
        let mut output = LogFile::open(&path, Some(rotation)).unwrap();
        output.write(b"line 1\nl 2\nline 3\n").unwrap();
        assert_eq!(
            (read(&path), read(&format!("{path}.1"))),
            ("line 3\n".into(), "line 1\nl 2\n".into())
        );
        output.write(b"a line that is longer than a file\nx\n").unwrap();
        assert_eq!((read(&path), read(&format!("{path}.2"))), ("x\n".into(), "line 3\n".into()));
        output.write(b"123456789012\n").unwrap();
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.log", "a.log.1", "a.log.2"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn file_that_another_process_has_rotated_is_followed() {
        let (folder, path) = log_in("follow");
        let open = || LogFile::open(&path, Some(Rotation { size: 12, keep: 3 })).unwrap();
        let (mut one, mut other) = (open(), open());
        one.write(b"1 of one\n").unwrap();
        one.write(b"2 of one\n").unwrap();
        other.write(b"o\n").unwrap();
        other.write(b"1 of other\n").unwrap();
        assert_eq!(read(&format!("{path}.1")), "2 of one\n");
        assert_eq!(read(&format!("{path}.2")), "1 of one\no\n");
        assert_eq!(read(&path), "1 of other\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn file_that_cannot_be_rotated_takes_all_lines() {
        let (folder, path) = log_in("unrotated");
        fs::create_dir_all(format!("{path}.new/x")).unwrap();
        let mut output = LogFile::open(&path, Some(Rotation { size: 12, keep: 3 })).unwrap();
        output.write(b"line 1\nline 2\nline 3\n").unwrap();
        assert_eq!(read(&path), "line 1\nline 2\nline 3\n");
        assert!(output.take_notice().is_some_and(|text| text.contains("is not rotated")));
        output.write(b"line 4\n").unwrap();
        assert_eq!(output.take_notice(), None, "it is reported once");
        fs::remove_dir_all(folder).unwrap();
    }
}
