//! Listeners in the file system.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

use super::transport::LocalOptions;

/// Bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o777;

/// A listener in the file system.
#[derive(Debug)]
pub(super) struct LocalListener {
    pub(super) listener: UnixListener,
    /// The file; `None` if another process removes it.
    _file: Option<LocalFile>,
}

impl LocalListener {
    /// Listens at `path` as [`open_local`] does.
    pub(super) fn bind(path: &Path, options: LocalOptions) -> io::Result<Self> {
        let (listener, file) = open_local(path, options)?;
        Ok(Self { listener: UnixListener::from_std(listener), _file: Some(file) })
    }

    /// Takes over a listener opened elsewhere, whose file stays.
    pub(super) fn adopt(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener), _file: None })
    }
}

/// Opens a Unix socket that listens at `path`, and returns it with its file. Replaces a socket left behind
/// by a dead process.
///
/// # Errors
/// The errors of `bind(2)`; `AddrInUse` if another process listens at `path`, or if the file is not a
/// socket.
pub fn open_local(path: &Path, options: LocalOptions) -> io::Result<(StdListener, LocalFile)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    // The file gets these permissions, except those of the umask, when it is created, so that no
    // other user can ever open it.
    let socket = File::from(OwnedFd::from(socket));
    socket.set_permissions(Permissions::from_mode(options.mode & PERMISSIONS))?;
    let socket = Socket::from(OwnedFd::from(socket));
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    // At once: until then, a process that starts takes the socket for one left behind.
    socket.listen(options.backlog)?;
    // From here on, an error removes the file.
    let file = LocalFile::at(path)?;
    if file.kept.metadata()?.mode() & PERMISSIONS != options.mode & PERMISSIONS {
        fs::set_permissions(path, Permissions::from_mode(options.mode & PERMISSIONS))?;
    }
    Ok((StdListener::from(OwnedFd::from(socket)), file))
}

/// The file of a listener. Dropping this value removes the file, unless another one has taken its place.
#[derive(Debug)]
pub struct LocalFile {
    path: PathBuf,
    /// The open file, which keeps its inode: no later file has that number meanwhile.
    kept: File,
    /// Device and inode.
    file: (u64, u64),
}

impl LocalFile {
    /// Returns the file at `path`; `None` if its device and inode are others than those of `file`.
    ///
    /// # Errors
    /// The errors of `open(2)`.
    pub fn find(path: &Path, file: (u64, u64)) -> io::Result<Option<Self>> {
        let kept = open_path(path)?;
        let is_it = identity(&kept.metadata()?) == file;
        Ok(is_it.then(|| Self { path: path.to_owned(), kept, file }))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let kept = open_path(path)?;
        let file = identity(&kept.metadata()?);
        Ok(Self { path: path.to_owned(), kept, file })
    }

    /// Returns true if the file is still at its path.
    #[must_use]
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.file)
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns device and inode.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.file
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path); // if that fails, the next listener replaces it
        }
    }
}

/// Opens a file of any type for its attributes alone.
fn open_path(path: &Path) -> io::Result<File> {
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Returns true if `path` is a socket without a listener.
fn is_left_over(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Connects without waiting. Fails if the backlog is full.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}
