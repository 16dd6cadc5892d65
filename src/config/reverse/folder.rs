//! Folders of routes: which files are served, and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::proxy::{Folder, FolderRules, FollowedLinks};

/// Keys about the folder of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FolderSection {
    pub(super) path: Option<PathBuf>,
    pub(super) indexes: Vec<String>,
    pub(super) lists: Option<bool>,
    pub(super) shows_hidden: Option<bool>,
    pub(super) links: Option<FollowedLinks>,
    pub(super) precompressed: Option<bool>,
    pub(super) fallback: Option<String>,
    pub(super) not_found: Option<String>,
}

impl FolderSection {
    /// Opens the folder.
    ///
    /// # Errors
    /// A message that names the folder and the reason.
    pub(super) fn open(&self, path: &Path) -> Result<Arc<Folder>, String> {
        let usual = FolderRules::default();
        let boxed = |name: &String| name.as_str().into();
        let indexes: Vec<Box<str>> = self.indexes.iter().map(boxed).collect();
        let rules = FolderRules {
            indexes: if indexes.is_empty() { usual.indexes } else { indexes },
            lists: self.lists.unwrap_or(usual.lists),
            shows_hidden: self.shows_hidden.unwrap_or(usual.shows_hidden),
            links: self.links.unwrap_or(usual.links),
            precompressed: self.precompressed.unwrap_or(usual.precompressed),
            fallback: self.fallback.as_ref().map(boxed),
            not_found: self.not_found.as_ref().map(boxed),
        };
        let opened = Folder::open(path, rules);
        opened.map(Arc::new).map_err(|error| format!("folder {}: {error}", path.display()))
    }
}

/// Checks the name of a file below the folder.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_name = |segment: &str| !matches!(segment, "" | "." | "..");
    match name.split('/').all(is_name) && !name.contains('\0') {
        true => Ok(()),
        false => {
            Err(format!("'{name}' is not the path of a file below the folder, such as 404.html"))
        }
    }
}
