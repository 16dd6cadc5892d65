//! Paths of control sockets. The default is in a folder that no other user can enter.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::process::geteuid;

/// Folder of root's control sockets.
const OF_ROOT: &str = "/run/tidegate";

/// Returns the default path of the control socket for a proxy on `port`. Creates the folder if it
/// does not exist, and returns true if it did.
///
/// # Errors
/// Fails if there is no folder that belongs to the user of this process alone.
pub(super) fn for_proxy(port: u16) -> io::Result<(PathBuf, bool)> {
    if let Some(folder) = runtime_folder() {
        return Ok((folder.join(name(port)), false));
    }
    let folder = fallback_folder();
    let made = make(&folder)?;
    Ok((folder.join(name(port)), made))
}

/// Returns the path at which to connect to the proxy on `port`. Prefers a path at which there is a
/// socket, because the proxy may have been started with another environment.
///
/// # Errors
/// Fails if the fallback folder belongs to another user, or is open to one.
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

/// Returns the folder in `XDG_RUNTIME_DIR`, if it belongs to this user.
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

/// Creates the folder, or checks the existing one. Returns true if it was created.
fn make(folder: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check(folder).map(|()| false),
        made => made.map(|()| true).map_err(|error| about(folder, &error.to_string())),
    }
}

/// Checks that no other user can have put anything into `folder`. Any user may have created a
/// folder or link of that name among the temporary files. Only root can have created root's folder,
/// perhaps for another user.
fn check(folder: &Path) -> io::Result<()> {
    let data = folder.symlink_metadata().map_err(|error| about(folder, &error.to_string()))?;
    let is_own = data.uid() == geteuid().as_raw() || folder == Path::new(OF_ROOT);
    if data.is_dir() && is_own && data.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(about(folder, "not a folder of this user with mode 0700; remove it"))
}

fn about(folder: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", folder.display()))
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.file_type().is_socket())
}

/// Port on which a proxy listens by default.
pub(super) const DEFAULT_PORT: u16 = 3128;

/// Returns the sockets at which another proxy may be, besides `path`: first those beside it, then those at
/// default paths.
pub(super) fn others(path: &Path) -> Vec<PathBuf> {
    let mut all = path.parent().map(sockets_in).unwrap_or_default();
    all.sort();
    let mut usual = at_default_paths();
    usual.sort();
    usual.dedup();
    usual.retain(|other| !all.contains(other));
    all.extend(usual);
    all.retain(|other| other != path);
    all
}

/// Returns the control sockets at default paths, in folders that no other user can have filled.
fn at_default_paths() -> Vec<PathBuf> {
    let fallback = Some(fallback_folder()).filter(|folder| check(folder).is_ok());
    let folders = runtime_folder().into_iter().chain(fallback);
    let mut all: Vec<PathBuf> = folders.flat_map(|folder| sockets_in(&folder)).collect();
    all.retain(|path| is_default_name(path));
    all
}

fn is_default_name(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let port = name.strip_prefix("tidegate-").and_then(|rest| rest.strip_suffix(".sock"));
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn sockets_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_socket(path)).collect()
}

/// Location of a proxy's control socket.
pub(super) enum Socket {
    /// Default path of a proxy on port 3128, or the only socket at a default path.
    Usual,
    /// Path of the socket.
    At(PathBuf),
    /// Port of the proxy's first listener, which determines the default path.
    OfPort(u16),
}

impl Socket {
    pub(super) fn path(self) -> io::Result<PathBuf> {
        match self {
            Self::At(path) => Ok(path),
            Self::OfPort(port) => for_client(port),
            Self::Usual => {
                let usual = for_client(DEFAULT_PORT)?;
                match <[PathBuf; 1]>::try_from(at_default_paths()) {
                    Ok([only]) => Ok(only),
                    Err(_) => Ok(usual),
                }
            }
        }
    }
}
