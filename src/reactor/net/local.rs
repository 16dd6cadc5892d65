//! Listening in the file system: a socket for the owner of the process and nobody else.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// A listener whose file goes when it does.
#[derive(Debug)]
pub(super) struct LocalListener {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, by which it is known from a later one of that name.
    file: (u64, u64),
}

impl LocalListener {
    /// Listens at `path`. A socket that a dead process has left there is replaced.
    ///
    /// # Errors
    /// As `bind(2)`; `AddrInUse` if somebody listens there, or if it is no socket.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        // The file gets these permissions as it is made, so nobody else can ever open it.
        let socket = File::from(OwnedFd::from(socket));
        socket.set_permissions(Permissions::from_mode(0o600))?;
        let socket = Socket::from(OwnedFd::from(socket));
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
                fs::remove_file(path)?;
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        socket.listen(BACKLOG)?;
        let file = identity(&fs::symlink_metadata(path)?);
        let listener = UnixListener::from_std(StdListener::from(OwnedFd::from(socket)));
        Ok(Self { listener, path: path.to_owned(), file })
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.file) {
            let _ = fs::remove_file(&self.path); // if it cannot be, the next who listens does
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Whether `path` is a socket at which nobody listens any more.
fn is_left_over(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Connects, which takes no time; if too many wait already, it fails.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}
