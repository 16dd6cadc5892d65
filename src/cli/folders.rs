//! Folders of files, for grants and locks.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the folder of a file, with all links resolved.
pub(super) fn folder_of(file: &Path) -> Option<PathBuf> {
    let whole = file.canonicalize().ok();
    let whole = whole.or_else(|| std::path::absolute(file).ok())?;
    whole.parent().map(Path::to_owned)
}

/// Returns true for folders that hold all kinds of files: `/`, its direct children such as `/etc`
/// and `/tmp`, and the home folder.
pub(super) fn is_shared(folder: &Path) -> bool {
    let home = env::var_os("HOME").is_some_and(|home| Path::new(&home) == folder);
    home || folder.components().count() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_folders_are_those_at_the_root() {
        for (folder, shared) in [
            ("/", true),
            ("/etc", true),
            ("/tmp/", true),
            ("/etc/tidegate", false),
            ("/run/systemd/resolve", false),
        ] {
            assert_eq!(is_shared(Path::new(folder)), shared, "{folder}");
        }
        assert_eq!(folder_of(Path::new("/etc/passwd")).unwrap(), Path::new("/etc"));
        assert_eq!(folder_of(Path::new("/no/such/file")).unwrap(), Path::new("/no/such"));
    }
}
