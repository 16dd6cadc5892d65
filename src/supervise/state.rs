//! Descriptors and workers that one process hands to another in a variable of its environment: a
//! supervisor to its worker, or to the binary that takes its place.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::line::{escaped, unescaped};
use super::link::STATE_VERSION;

/// An open socket, or another descriptor that workers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// Number of the descriptor.
    pub(crate) descriptor: i32,
    /// Configured place, such as `127.0.0.1:0`.
    pub(crate) key: String,
    /// File that has to be removed with the socket.
    pub(crate) file: Option<FileId>,
}

/// A file by its path, and by the device and inode that tell it from a later one at that path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) path: PathBuf,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// A running worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunningWorker {
    pub(crate) number: u32,
    pub(crate) pid: i32,
    /// Descriptor of the socket to the worker.
    pub(crate) link: i32,
    /// True if the worker serves, false if it drains.
    pub(crate) is_active: bool,
}

/// Descriptors and workers that a process hands to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    /// To a worker: its number, the descriptor of the socket to the supervisor, and the time between two
    /// heartbeats.
    pub(crate) worker: Option<(u32, i32, Duration)>,
    /// To a supervisor: the number of the worker that was started last.
    pub(crate) last: u32,
    pub(crate) running: Vec<RunningWorker>,
    pub(crate) sockets: Vec<Socket>,
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version {STATE_VERSION}")?;
        if let Some((number, link, beat)) = self.worker {
            writeln!(f, "worker {number} {link} {}", beat.as_millis())?;
        }
        writeln!(f, "last {}", self.last)?;
        for RunningWorker { number, pid, link, is_active } in &self.running {
            let role = if *is_active { "active" } else { "draining" };
            writeln!(f, "running {number} {pid} {link} {role}")?;
        }
        for Socket { descriptor, key, file } in &self.sockets {
            writeln!(f, "socket {descriptor} {}", escaped(key))?;
            if let Some(FileId { path, device, inode }) = file {
                writeln!(f, "file {device} {inode} {}", escaped(&path.to_string_lossy()))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Handed {
    /// The line that is wrong.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut handed = Self::default();
        if text.lines().next() != Some(&format!("version {STATE_VERSION}")) {
            return Err("the version is unknown".to_owned());
        }
        for line in text.lines().skip(1) {
            handed.add(line).ok_or_else(|| format!("'{line}' is not understood"))?;
        }
        Ok(handed)
    }
}

impl Handed {
    fn add(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let words: Vec<&str> = rest.splitn(4, ' ').collect();
        match (word, words.as_slice()) {
            ("worker", [number, link, beat]) => {
                let beat = Duration::from_millis(beat.parse().ok()?);
                self.worker = Some((number.parse().ok()?, link.parse().ok()?, beat));
            }
            ("last", [number]) => self.last = number.parse().ok()?,
            ("running", [number, pid, link, role @ ("active" | "draining")]) => {
                self.running.push(RunningWorker {
                    number: number.parse().ok()?,
                    pid: pid.parse().ok()?,
                    link: link.parse().ok()?,
                    is_active: *role == "active",
                });
            }
            ("socket", [descriptor, ..]) => {
                let descriptor = descriptor.parse().ok()?;
                let key = unescaped(rest.split_once(' ')?.1);
                self.sockets.push(Socket { descriptor, key, file: None });
            }
            ("file", [device, inode, ..]) => {
                let path = unescaped(rest.splitn(3, ' ').nth(2)?);
                let (device, inode) = (device.parse().ok()?, inode.parse().ok()?);
                let file = FileId { path: path.into(), device, inode };
                self.sockets.last_mut()?.file = Some(file);
            }
            _ => return None,
        }
        Some(())
    }
}
