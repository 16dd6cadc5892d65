//! The two files that say how names are resolved, read again when they have changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::dns::{Hosts, ResolvConf};

/// How often the files are looked at, at most.
const INTERVAL: Duration = Duration::from_secs(5);
/// Bytes that are read of a file: more than long lists of blocked hosts have.
const LONGEST: u64 = 64 << 20;

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, which is read while the loop waits; when its size, time or place have changed, again.
    /// One that is not there is empty until it is; one that cannot be read any more, or has gone, is
    /// as it was.
    File(PathBuf),
    /// The text itself, as a simulation has it.
    Text(String),
}

/// What says how names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSources {
    /// Names that this machine knows itself: `hosts(5)`.
    pub hosts: Source,
    /// The servers, and how they are asked: `resolv.conf(5)`.
    pub resolv_conf: Source,
    /// Servers to ask instead of those of `resolv_conf`; what else that says still holds.
    pub servers: Vec<SocketAddr>,
}

impl Default for NameSources {
    /// The files of the system.
    fn default() -> Self {
        Self {
            hosts: Source::File("/etc/hosts".into()),
            resolv_conf: Source::File("/etc/resolv.conf".into()),
            servers: Vec::new(),
        }
    }
}

/// What the files say.
#[derive(Debug)]
pub(super) struct Files {
    sources: NameSources,
    seen: [Seen; 2],
    looked: Option<Instant>,
    pub(super) hosts: Hosts,
    pub(super) conf: ResolvConf,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// What was read last.
    version: Option<Version>,
    /// Whether that cannot be read any more.
    lost: bool,
}

/// What tells whether a file has changed: when and how long, and which file it is.
type Version = (SystemTime, u64, u64);

impl Files {
    /// Nothing is read yet.
    pub(super) fn new(sources: NameSources) -> Self {
        Self {
            sources,
            seen: [Seen::default(); 2],
            looked: None,
            hosts: Hosts::default(),
            conf: ResolvConf::default(),
        }
    }

    pub(super) fn is_of(&self, sources: &NameSources) -> bool {
        self.sources == *sources
    }

    /// A file that was read once and cannot be any more.
    pub(super) fn lost(&self) -> Option<&Path> {
        let sources = [&self.sources.hosts, &self.sources.resolv_conf];
        sources.into_iter().zip(&self.seen).find_map(|(source, seen)| match source {
            Source::File(path) if seen.lost => Some(path.as_path()),
            _ => None,
        })
    }

    /// Reads what has changed, if it was not looked for just now. Whether other servers are asked, or
    /// in another way, from now on.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if self.looked.is_some_and(|at| now < at + INTERVAL) {
            return false;
        }
        let first = self.looked.replace(now).is_none();
        let [hosts, conf] = &mut self.seen;
        if let Some(text) = changed(&self.sources.hosts, hosts, first) {
            self.hosts = Hosts::read(&text);
        }
        let Some(text) = changed(&self.sources.resolv_conf, conf, first) else { return false };
        let mut conf = ResolvConf::read(&text);
        if !self.sources.servers.is_empty() {
            conf.servers.clone_from(&self.sources.servers);
        }
        let other = conf != self.conf;
        self.conf = conf;
        other
    }
}

/// The text, if it is another than the one that was `seen`.
fn changed(source: &Source, seen: &mut Seen, first: bool) -> Option<String> {
    let path = match source {
        Source::Text(text) => return first.then(|| text.clone()),
        Source::File(path) => path,
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

/// The text of another version than `seen`, if there is one.
fn newer(path: &Path, seen: Option<Version>) -> io::Result<Option<(Version, String)>> {
    let data = fs::metadata(path)?;
    if !data.is_file() {
        return Err(io::ErrorKind::Unsupported.into()); // the loop would wait for who writes to a pipe
    }
    let version = (data.modified()?, data.len(), data.ino());
    if seen == Some(version) {
        return Ok(None);
    }
    Ok(Some((version, read(path)?)))
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
