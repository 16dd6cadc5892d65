//! Reading and parsing the files of name resolution on a thread: a disk may be slow, and a file
//! long.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::SystemTime;

use crate::dns::{Hosts, ResolvConf};
use crate::reactor::Waker;

use super::sources::{NameSource, NameSources};

/// Limit of the bytes read of a file, which exceeds long lists of blocked hosts.
const LONGEST: u64 = 64 << 20;

/// Result of a check of the files.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The hosts file, if it has changed.
    pub(super) hosts: Option<Hosts>,
    /// Servers and options, if that file has changed.
    pub(super) conf: Option<ResolvConf>,
    /// A file that was read before and cannot be read any more.
    pub(super) lost: Option<PathBuf>,
}

/// Both sources, and the versions of them that were read last.
#[derive(Debug)]
pub(super) struct Reader {
    sources: NameSources,
    hosts: Seen,
    conf: Seen,
    /// False before the first check.
    looked: bool,
}

/// State of a file at the last check.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    version: Option<Version>,
    lost: bool,
}

/// Time of change, length and inode of a file. A replaced or changed file has another version.
type Version = (SystemTime, u64, u64);

impl Reader {
    pub(super) fn new(sources: NameSources) -> Self {
        Self { sources, hosts: Seen::default(), conf: Seen::default(), looked: false }
    }

    /// Reads the files that have changed since the last check; at the first check, all.
    pub(super) fn look(&mut self) -> Reading {
        let first = !std::mem::replace(&mut self.looked, true);
        let hosts = changed(&self.sources.hosts, &mut self.hosts, first);
        let conf = changed(&self.sources.resolv_conf, &mut self.conf, first);
        Reading {
            hosts: hosts.map(|text| Hosts::read(&text)),
            conf: conf.map(|text| self.resolv_conf(&text)),
            lost: self.lost(),
        }
    }

    fn resolv_conf(&self, text: &str) -> ResolvConf {
        let mut conf = ResolvConf::read(text);
        conf.random_case = self.sources.random_case;
        if !self.sources.servers.is_empty() {
            conf.servers.clone_from(&self.sources.servers);
        }
        conf
    }

    fn lost(&self) -> Option<PathBuf> {
        let files = [(&self.sources.hosts, self.hosts), (&self.sources.resolv_conf, self.conf)];
        files.into_iter().find_map(|(source, seen)| match source {
            NameSource::File(path) if seen.lost => Some(path.clone()),
            _ => None,
        })
    }
}

/// Returns the text of a source if its version differs from `seen`.
fn changed(source: &NameSource, seen: &mut Seen, first: bool) -> Option<String> {
    let path = match source {
        NameSource::Text(text) => return first.then(|| text.clone()),
        NameSource::File(path) => path,
    };
    let newer = newer(path, seen.version);
    seen.lost = newer.is_err() && seen.version.is_some();
    match newer {
        Ok(Some((version, text))) => {
            seen.version = Some(version);
            Some(text)
        }
        Ok(None) => None,
        Err(_) => first.then(String::new),
    }
}

/// Returns version and text of the file, unless the version is `seen`. A file that is not regular
/// is not opened, because opening a pipe waits for its writer.
fn newer(path: &Path, seen: Option<Version>) -> io::Result<Option<(Version, String)>> {
    let seen_as = version(&fs::metadata(path)?)?;
    if seen == Some(seen_as) {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let opened = version(&file.metadata()?)?; // the file may have been replaced meanwhile
    Ok(Some((opened, read(file)?)))
}

fn version(data: &fs::Metadata) -> io::Result<Version> {
    if !data.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok((data.modified()?, data.len(), data.ino()))
}

fn read(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A thread that checks the files on request, and frees values that take long to free.
#[derive(Debug)]
pub(super) struct ReaderThread {
    orders: Sender<Order>,
    readings: Receiver<Reading>,
}

enum Order {
    Look,
    Free(Box<dyn Any + Send>),
}

impl ReaderThread {
    /// Starts the thread. After each check, `waker` wakes the object that takes the
    /// [`reading`](Self::reading).
    pub(super) fn start(mut reader: Reader, waker: Waker) -> io::Result<Self> {
        let (orders, ordered) = channel();
        let (read, readings) = channel();
        thread::Builder::new().name("hosts".into()).spawn(move || {
            for order in ordered {
                match order {
                    Order::Look if read.send(reader.look()).is_ok() => waker.wake(),
                    Order::Look => return,
                    Order::Free(garbage) => drop(garbage),
                }
            }
        })?;
        Ok(Self { orders, readings })
    }

    /// Requests a check of the files.
    pub(super) fn look(&self) {
        let _ = self.orders.send(Order::Look); // a dead thread is noticed by `reading`
    }

    /// Returns the result of a check, or `None` while there is none.
    ///
    /// # Errors
    /// Fails if the thread has died.
    pub(super) fn reading(&self) -> Result<Option<Reading>, TryRecvError> {
        match self.readings.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            reading => reading.map(Some),
        }
    }

    /// Lets the thread drop `garbage`, because that may take long.
    pub(super) fn free(&self, garbage: impl Send + 'static) {
        let _ = self.orders.send(Order::Free(Box::new(garbage)));
    }

    /// Ends the thread, which first drops results that were not taken.
    pub(super) fn end(self) {
        let _ = self.orders.send(Order::Free(Box::new(self.readings)));
    }
}

#[cfg(test)]
mod tests;
