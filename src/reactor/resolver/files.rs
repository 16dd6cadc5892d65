//! Parsed contents of the hosts file and of `resolv.conf`. A thread reads the files; the loop uses
//! the tables that were read last.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::dns::{Hosts, ResolvConf};
use crate::reactor::Waker;

use super::reader::{Reader, ReaderThread, Reading};
use super::sources::NameSources;

/// Shortest time between two checks of the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tables of the files, and the thread that reads them.
#[derive(Debug)]
pub(super) struct Files {
    sources: NameSources,
    thread: Option<ReaderThread>,
    /// Time of the last check of the files.
    looked: Option<Instant>,
    /// True while the thread checks the files.
    looking: bool,
    /// True once the files were read; before that, the tables are empty.
    read: bool,
    pub(super) hosts: Hosts,
    pub(super) conf: ResolvConf,
    lost: Option<PathBuf>,
}

impl Files {
    /// Creates empty tables. Nothing is read yet.
    pub(super) fn new(sources: NameSources) -> Self {
        Self {
            sources,
            thread: None,
            looked: None,
            looking: false,
            read: false,
            hosts: Hosts::default(),
            conf: ResolvConf::default(),
            lost: None,
        }
    }

    pub(super) fn is_of(&self, sources: &NameSources) -> bool {
        self.sources == *sources
    }

    /// Returns true once the files were read.
    pub(super) const fn are_read(&self) -> bool {
        self.read
    }

    /// Returns a file that was read before and cannot be read any more.
    pub(super) fn lost(&self) -> Option<&Path> {
        self.lost.as_deref()
    }

    /// Begins a check of the files, unless the last one was less than 5 s ago. The thread
    /// makes the check and wakes the object of `waker`; sources that are texts are parsed by
    /// [`take`](Self::take) instead.
    ///
    /// # Errors
    /// Fails if no thread can be started. The tables stay as they are.
    pub(super) fn look(&mut self, now: Instant, waker: impl FnOnce() -> Waker) -> io::Result<()> {
        if self.looking || self.looked.is_some_and(|at| now < at + INTERVAL) {
            return Ok(());
        }
        if self.sources.has_files() {
            let thread = match self.thread.take() {
                Some(thread) => thread,
                None => ReaderThread::start(Reader::new(self.sources.clone()), waker())?,
            };
            self.thread.insert(thread).look();
            self.looking = true;
        }
        self.looked = Some(now);
        Ok(())
    }

    /// Replaces the tables by those read meanwhile, if any. Returns true if the servers, or the way
    /// to query them, have changed.
    pub(super) fn take(&mut self) -> bool {
        if !self.read && self.looked.is_some() && !self.sources.has_files() {
            return self.take_over(Reader::new(self.sources.clone()).look());
        }
        let Some(thread) = self.thread.as_ref().filter(|_| self.looking) else { return false };
        match thread.reading() {
            Ok(None) => false,
            Ok(Some(reading)) => {
                self.looking = false;
                self.take_over(reading)
            }
            Err(_) => {
                (self.thread, self.looking) = (None, false);
                false
            }
        }
    }

    fn take_over(&mut self, reading: Reading) -> bool {
        self.read = true;
        self.lost = reading.lost;
        if let Some(hosts) = reading.hosts {
            let old = std::mem::replace(&mut self.hosts, hosts);
            self.free(old);
        }
        let Some(conf) = reading.conf else { return false };
        let other = conf != self.conf;
        self.conf = conf;
        other
    }

    /// Lets the thread free a table, because that may take long.
    fn free(&self, table: Hosts) {
        if let Some(thread) = &self.thread {
            thread.free(table);
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let hosts = std::mem::take(&mut self.hosts);
        self.free(hosts);
        if let Some(thread) = self.thread.take() {
            thread.end();
        }
    }
}
