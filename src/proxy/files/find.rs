//! Find: the file that answers a request for a path of a folder.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, OFlags, Stat};
use rustix::io::Errno;

use crate::files::{FilePath, ListedFile, listing, suffix};
use crate::http::{ContentCoding, Status};
use crate::proxy::error::FileError;
use crate::proxy::settings::sites::folder::Folder;

use super::open_file::{OpenFile, length_of, modified_of, open};

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
    pub(crate) codings: Vec<ContentCoding>,
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
        let sibling = |coding: ContentCoding| {
            sibling_of(folder, &[&*name, suffix(coding).as_bytes()].concat(), is_quick)
        };
        for &coding in &wanted.codings {
            if let Some((descriptor, stat)) = sibling(coding)? {
                return Ok(Some(OpenFile::new(descriptor, &stat, name, Some(coding), true)));
            }
        }
        for coding in ContentCoding::ALL {
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

/// Returns true if the error means that there is no such file, or none that may be served.
fn is_missing(error: &io::Error) -> bool {
    let missing = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NAMETOOLONG];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl FileError {
    /// Returns the error for the client, of an error of the system.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            _ if is_missing(error) => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Unreadable(Cow::Owned(error.to_string())),
        }
    }
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
