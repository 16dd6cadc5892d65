//! The default place of the control socket: a folder that no other user can enter.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::process::geteuid;

/// The folder for root's sockets.
const OF_ROOT: &str = "/run/tidegate";

/// The path at which a proxy on `port` takes commands. The folder is made if it is not there; true if
/// it was.
///
/// # Errors
/// If there is no folder that belongs to the user of this process alone.
pub(super) fn for_proxy(port: u16) -> io::Result<(PathBuf, bool)> {
    if let Some(folder) = runtime_folder() {
        return Ok((folder.join(name(port)), false));
    }
    let folder = fallback_folder();
    let made = make(&folder)?;
    Ok((folder.join(name(port)), made))
}

/// The path at which a proxy on `port` is asked: the first at which there is a socket, since the
/// proxy may have been started with another environment.
///
/// # Errors
/// If the folder of the fallback is not this user's alone.
pub(super) fn for_client(port: u16) -> io::Result<PathBuf> {
    let runtime = runtime_folder().map(|folder| folder.join(name(port)));
    let fallback = fallback_folder();
    match runtime {
        Some(path) if is_socket(&path) || !is_socket(&fallback.join(name(port))) => Ok(path),
        _ => {
            let there = fallback.symlink_metadata().is_ok();
            there.then(|| check(&fallback)).transpose()?;
            Ok(fallback.join(name(port)))
        }
    }
}

fn name(port: u16) -> String {
    format!("tidegate-{port}.sock")
}

/// The user's folder for such things, if the variable names one that is the user's.
fn runtime_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("XDG_RUNTIME_DIR").filter(|name| !name.is_empty())?);
    let is_own = |data: fs::Metadata| data.is_dir() && data.uid() == geteuid().as_raw();
    fs::metadata(&folder).is_ok_and(is_own).then_some(folder)
}

fn fallback_folder() -> PathBuf {
    let user = geteuid();
    if user.is_root() {
        return PathBuf::from(OF_ROOT);
    }
    env::temp_dir().join(format!("tidegate-{}", user.as_raw()))
}

/// Makes the folder, unless it is there and as it should be; true if it was made.
fn make(folder: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check(folder).map(|()| false),
        made => made.map(|()| true).map_err(|error| about(folder, &error.to_string())),
    }
}

/// Checks that no other user can have put anything into `folder`. In the folder of temporary files, any
/// user may have made it, or a link of that name. Only root can have made that of root, perhaps for
/// another user.
fn check(folder: &Path) -> io::Result<()> {
    let data = folder.symlink_metadata().map_err(|error| about(folder, &error.to_string()))?;
    let is_own = data.uid() == geteuid().as_raw() || folder == Path::new(OF_ROOT);
    if data.is_dir() && is_own && data.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(about(folder, "it is no folder of this user with mode 0700; remove it"))
}

fn about(folder: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", folder.display()))
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.file_type().is_socket())
}

/// Where a proxy listens unless it is told otherwise.
pub(super) const DEFAULT_PORT: u16 = 3128;

/// The control socket of a proxy.
pub(super) enum Socket {
    /// At this path.
    At(PathBuf),
    /// At the default path for the first port on which it listens.
    OfPort(u16),
}

impl Socket {
    pub(super) fn path(self) -> io::Result<PathBuf> {
        match self {
            Self::At(path) => Ok(path),
            Self::OfPort(port) => for_client(port),
        }
    }
}
