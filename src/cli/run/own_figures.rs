//! Figures of this process, from the system.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::proxy::{ProcessFigures, ProcessProbe};

/// Reads the figures of this process from files that are open from the start: later, the process may not be
/// permitted to open them.
#[derive(Debug)]
pub(super) struct OwnFigures {
    /// `/proc/self/statm`: sizes in pages.
    sizes: File,
    /// `/proc/self/fd`: an entry for each open descriptor.
    descriptors: OwnedFd,
    started: SystemTime,
}

impl OwnFigures {
    /// Opens the files of a process that was `started` then.
    pub(super) fn open(started: SystemTime) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            sizes: File::open("/proc/self/statm")?,
            descriptors: rustix::fs::open("/proc/self/fd", flags, Mode::empty())?,
            started,
        })
    }

    /// Returns the bytes of address space, and those of them that are present.
    fn memory(&self) -> io::Result<[u64; 2]> {
        let mut text = [0; 128];
        let length = self.sizes.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let mut pages = text.split_whitespace().map_while(|number| number.parse::<u64>().ok());
        let size = rustix::param::page_size() as u64;
        let mut next = || pages.next().map_or(0, |pages| pages * size);
        Ok([next(), next()])
    }

    /// Returns the number of open descriptors. Kernels since 6.2 know it; for others, they are counted.
    fn count_descriptors(&self) -> io::Result<u64> {
        let known = rustix::fs::fstat(&self.descriptors)?.st_size;
        if let Ok(known @ 1..) = u64::try_from(known) {
            return Ok(known);
        }
        rustix::fs::seek(self.descriptors.as_fd(), SeekFrom::Start(0))?;
        let entries = rustix::fs::Dir::read_from(&self.descriptors)?;
        let open = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name() != c"." && entry.file_name() != c"..");
        Ok(open.count() as u64)
    }

    fn figures(&self) -> io::Result<ProcessFigures> {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let [virtual_memory, resident] = self.memory()?;
        Ok(ProcessFigures {
            cpu: Duration::try_from(used).unwrap_or_default(),
            descriptors: self.count_descriptors()?,
            most_descriptors: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            resident,
            virtual_memory,
            started: self.started,
        })
    }
}

impl ProcessProbe for OwnFigures {
    fn read(&self) -> Option<ProcessFigures> {
        self.figures().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn figures_are_those_of_the_process() {
        let started = SystemClock.now().wall;
        let own = OwnFigures::open(started).unwrap();
        let files: Vec<_> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
        let memory = vec![1_u8; 32 << 20];
        let figures = own.read().unwrap();
        assert!(figures.descriptors > files.len() as u64, "{figures:?}");
        assert!(figures.most_descriptors >= figures.descriptors, "{figures:?}");
        assert!(figures.resident >= memory.len() as u64, "{figures:?}");
        assert!(figures.virtual_memory >= figures.resident, "{figures:?}");
        assert!(figures.cpu > Duration::ZERO && figures.started == started, "{figures:?}");
    }
}
