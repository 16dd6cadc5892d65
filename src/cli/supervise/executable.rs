//! Path of the binary, at which an upgrade finds its successor.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Returns the path by which this process was started, with its links: they may lead to another binary
/// later. If that path is not known, returns that of the present binary.
///
/// # Errors
/// Fails if the system does not say which binary this process runs.
pub(super) fn executable() -> io::Result<PathBuf> {
    let running = fs::metadata("/proc/self/exe")?;
    let is_running = |path: &Path| {
        fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (running.dev(), running.ino()))
    };
    let name = env::args_os().next().unwrap_or_default();
    let given = candidates(&name).into_iter().find(|path| is_running(path));
    given.map_or_else(env::current_exe, Ok)
}

/// Returns the paths that a command of this name may stand for.
fn candidates(name: &OsStr) -> Vec<PathBuf> {
    if Path::new(name).components().count() > 1 {
        return std::path::absolute(name).into_iter().collect();
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&folders).filter_map(|folder| std::path::absolute(folder).ok());
    folders.map(|folder| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_is_found_by_its_name_as_given() {
        let found = executable().unwrap();
        let (found, running) = (found.canonicalize().unwrap(), env::current_exe().unwrap());
        assert_eq!(found, running.canonicalize().unwrap());
        let here = std::path::absolute("bin/tidegate").unwrap();
        assert_eq!(candidates(OsStr::new("./bin/tidegate")), [here]);
        assert!(candidates(OsStr::new("tidegate")).iter().all(|path| path.is_absolute()));
    }
}
