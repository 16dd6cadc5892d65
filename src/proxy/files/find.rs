//! Find: the file that answers a request for a path of a folder.

use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, ReadWriteFlags};

use crate::files::{FileCoding, FilePath, FileVersion, ListedFile, listing};
use crate::http::Status;
use crate::proxy::settings::sites::folder::{Folder, FollowedLinks};
use crate::reactor::is_in_memory;

/// Most files in a listing.
const MOST_LISTED: usize = 10_000;

/// A request for a file.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) folder: Arc<Folder>,
    pub(crate) path: FilePath,
    /// Path by which clients know the file, for listings.
    pub(crate) public_path: Box<str>,
    /// Codings that the client accepts, the best first.
    pub(crate) codings: Vec<FileCoding>,
}

/// Answer to a request for a file.
#[derive(Debug)]
pub(crate) enum Found {
    File(Arc<OpenFile>, Status),
    /// The path is that of a folder, without the slash at its end.
    Folder,
    /// A page about the files of a folder.
    Listing(String),
}

/// A file that is open for reading.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: OwnedFd,
    pub(crate) version: FileVersion,
    pub(crate) modified: SystemTime,
    /// Path below the folder, without the suffix of a coding.
    pub(crate) name: Vec<u8>,
    pub(crate) coding: Option<FileCoding>,
    /// True if other clients may get the content in another coding.
    pub(crate) varies: bool,
}

/// Finds the file of a request. Does not wait for a disk if `is_quick`.
///
/// # Errors
/// `WouldBlock` if the answer needs more time than a quick one may take; otherwise the reason why there
/// is no file.
pub(crate) fn find(wanted: &Wanted, is_quick: bool) -> io::Result<Found> {
    let rules = &wanted.folder.rules;
    match find_itself(wanted, is_quick) {
        Err(error) if is_missing(&error) => {
            for (page, status) in
                [(&rules.fallback, Status::OK), (&rules.not_found, Status::NOT_FOUND)]
            {
                let Some(page) = page else { continue };
                match open_file(wanted, page.as_bytes().to_vec(), is_quick)? {
                    Some(file) => return Ok(Found::File(Arc::new(file), status)),
                    None => continue,
                }
            }
            Err(error)
        }
        found => found,
    }
}

fn find_itself(wanted: &Wanted, is_quick: bool) -> io::Result<Found> {
    let rules = &wanted.folder.rules;
    if !wanted.path.is_folder()
        && let Some(file) = open_file(wanted, wanted.path.as_bytes().to_vec(), is_quick)?
    {
        return Ok(Found::File(Arc::new(file), Status::OK));
    }
    // The path is that of a folder, or of nothing.
    let folder = open(&wanted.folder, wanted.path.as_bytes(), OFlags::DIRECTORY, is_quick)?;
    if !wanted.path.is_folder() {
        return Ok(Found::Folder);
    }
    for index in &rules.indexes {
        match open_file(wanted, wanted.path.join(index), is_quick) {
            Ok(Some(file)) => return Ok(Found::File(Arc::new(file), Status::OK)),
            Ok(None) => {}
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    match (rules.lists, is_quick) {
        (false, _) => Err(Errno::NOENT.into()),
        (true, true) => Err(io::ErrorKind::WouldBlock.into()),
        (true, false) => {
            let (files, more) = files_of(&folder, rules.shows_hidden)?;
            Ok(Found::Listing(listing(&wanted.public_path, files, more)))
        }
    }
}

/// Opens a file, or a sibling that has it in an accepted coding. Returns `None` for a folder.
fn open_file(wanted: &Wanted, name: Vec<u8>, is_quick: bool) -> io::Result<Option<OpenFile>> {
    let folder = &wanted.folder;
    let descriptor = open(folder, &name, OFlags::empty(), is_quick)?;
    let stat = rustix::fs::fstat(&descriptor)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Ok(None),
        _ => return Err(Errno::NOENT.into()), // a device or a pipe is not for clients
    }
    let mut varies = false;
    if folder.rules.precompressed {
        let sibling = |coding: FileCoding| {
            sibling_of(folder, &[&*name, coding.suffix().as_bytes()].concat(), is_quick)
        };
        for &coding in &wanted.codings {
            if let Some((descriptor, stat)) = sibling(coding)? {
                return Ok(Some(OpenFile::new(descriptor, &stat, name, Some(coding), true)));
            }
        }
        for coding in FileCoding::ALL {
            varies |= !wanted.codings.contains(&coding) && sibling(coding)?.is_some();
        }
    }
    Ok(Some(OpenFile::new(descriptor, &stat, name, None, varies)))
}

fn sibling_of(folder: &Folder, name: &[u8], is_quick: bool) -> io::Result<Option<(OwnedFd, Stat)>> {
    let descriptor = match open(folder, name, OFlags::empty(), is_quick) {
        Ok(descriptor) => descriptor,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let stat = rustix::fs::fstat(&descriptor)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(is_file.then_some((descriptor, stat)))
}

/// Opens a path beneath a folder, without waiting for the other end of a pipe.
fn open(folder: &Folder, path: &[u8], flags: OFlags, is_quick: bool) -> io::Result<OwnedFd> {
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

/// Returns true if the error means that there is no such file, or none that may be served.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    let missing = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NAMETOOLONG];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Returns the files of a folder, and whether there are more than a listing shows.
fn files_of(folder: &OwnedFd, shows_hidden: bool) -> io::Result<(Vec<ListedFile>, bool)> {
    let mut files = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") || (name.starts_with(b".") && !shows_hidden) {
            continue;
        }
        if files.len() == MOST_LISTED {
            return Ok((files, true));
        }
        let Ok(stat) = rustix::fs::statat(folder, entry.file_name(), AtFlags::empty()) else {
            continue; // a link to nothing, or a file that has vanished
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            continue;
        }
        files.push(ListedFile {
            name: name.to_vec(),
            is_folder: kind == FileType::Directory,
            length: length_of(&stat),
            modified: modified_of(&stat),
        });
    }
    Ok((files, false))
}

impl OpenFile {
    fn new(
        descriptor: OwnedFd,
        stat: &Stat,
        name: Vec<u8>,
        coding: Option<FileCoding>,
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

fn length_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn modified_of(stat: &Stat) -> SystemTime {
    match u64::try_from(stat.st_mtime) {
        Ok(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}
