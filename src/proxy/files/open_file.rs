//! Open files: a descriptor, and what is known of the file.

use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, ReadWriteFlags};

use crate::files::FileVersion;
use crate::http::ContentCoding;
use crate::proxy::settings::sites::folder::{Folder, FollowedLinks};
use crate::reactor::is_in_memory;

/// A file that is open for reading.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: OwnedFd,
    pub(crate) version: FileVersion,
    pub(crate) modified: SystemTime,
    /// Path below the folder, without the suffix of a coding.
    pub(crate) name: Vec<u8>,
    pub(crate) coding: Option<ContentCoding>,
    /// True if other clients may get the content in another coding.
    pub(crate) varies: bool,
}

/// Opens a path beneath a folder, without waiting for the other end of a pipe.
pub(super) fn open(
    folder: &Folder,
    path: &[u8],
    flags: OFlags,
    is_quick: bool,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = if path.is_empty() { b"." } else { path };
    let mut resolve = ResolveFlags::NO_MAGICLINKS;
    match folder.rules.links {
        FollowedLinks::Off => resolve |= ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        FollowedLinks::Beneath => resolve |= ResolveFlags::BENEATH,
        FollowedLinks::Anywhere => {}
    }
    if is_quick {
        resolve |= ResolveFlags::CACHED;
    }
    Ok(rustix::fs::openat2(&folder.handle, path, flags, Mode::empty(), resolve)?)
}

impl OpenFile {
    pub(super) fn new(
        descriptor: OwnedFd,
        stat: &Stat,
        name: Vec<u8>,
        coding: Option<ContentCoding>,
        varies: bool,
    ) -> Self {
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let version = FileVersion {
            length: length_of(stat),
            modified: nanos(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
            inode: stat.st_ino,
        };
        Self { descriptor, version, modified: modified_of(stat), name, coding, varies }
    }

    /// Returns the path below the folder.
    pub(crate) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.name))
    }

    /// Returns the descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Returns true if reading these bytes waits for no disk.
    pub(crate) fn is_in_memory(&self, at: u64, length: u64) -> bool {
        is_in_memory(&self.descriptor, at, length)
    }

    /// Reads at an offset, as much as `into` holds or the file has. Does not wait for a disk if
    /// `is_quick`.
    ///
    /// # Errors
    /// As `preadv2(2)`; `WouldBlock` if the bytes are not in memory.
    pub(crate) fn read_at(&self, into: &mut [u8], at: u64, is_quick: bool) -> io::Result<usize> {
        let mut flags = if is_quick { ReadWriteFlags::NOWAIT } else { ReadWriteFlags::empty() };
        loop {
            let mut slices = [IoSliceMut::new(into)];
            match rustix::io::preadv2(&self.descriptor, &mut slices, at, flags) {
                Err(Errno::INTR) => {}
                // The file system cannot read without waiting, but may have the bytes.
                Err(Errno::OPNOTSUPP) if flags == ReadWriteFlags::NOWAIT => {
                    if !self.is_in_memory(at, slices[0].len() as u64) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    flags = ReadWriteFlags::empty();
                }
                read => return Ok(read?),
            }
        }
    }
}

pub(super) fn length_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

pub(super) fn modified_of(stat: &Stat) -> SystemTime {
    match u64::try_from(stat.st_mtime) {
        Ok(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}
