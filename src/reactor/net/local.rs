//! Listeners in the file system.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

use super::transport::LocalOptions;

/// Bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o777;

/// A listener that removes its file when it is dropped.
#[derive(Debug)]
pub(super) struct LocalListener {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, which distinguish it from a later file of that name.
    file: (u64, u64),
}

impl LocalListener {
    /// Listens at `path`. Replaces a socket left behind by a dead process.
    ///
    /// # Errors
    /// The errors of `bind(2)`; `AddrInUse` if another process listens at `path`, or if the file is
    /// not a socket.
    pub(super) fn bind(path: &Path, options: LocalOptions) -> io::Result<Self> {
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
        let created = fs::symlink_metadata(path)?;
        let listener = UnixListener::from_std(StdListener::from(OwnedFd::from(socket)));
        // From here on, an error removes the file.
        let local = Self { listener, path: path.to_owned(), file: identity(&created) };
        if created.mode() & PERMISSIONS != options.mode & PERMISSIONS {
            fs::set_permissions(path, Permissions::from_mode(options.mode & PERMISSIONS))?;
        }
        Ok(local)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.file) {
            let _ = fs::remove_file(&self.path); // if that fails, the next listener replaces it
        }
    }
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
