//! Folders whose files a route serves.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// A folder, which was opened when the settings were read. All files are opened beneath it, so that no
/// path and no link leads out of it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    pub(crate) handle: OwnedFd,
    /// Rules for the files.
    pub rules: FolderRules,
}

/// Rules for the files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRules {
    /// Names of the files that stand for their folder, the first that exists.
    pub indexes: Vec<Box<str>>,
    /// True if folders without such a file are listed.
    pub lists: bool,
    /// True if files whose names begin with a dot are served.
    pub shows_hidden: bool,
    /// Symbolic links that are followed.
    pub links: FollowedLinks,
    /// True if siblings `.br`, `.zst` and `.gz` are served to clients that accept their coding.
    pub precompressed: bool,
    /// File for paths that name none, with status 200: that of an application in the browser.
    pub fallback: Option<Box<str>>,
    /// File for paths that name none, with status 404.
    pub not_found: Option<Box<str>>,
}

/// Symbolic links that are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FollowedLinks {
    /// No link.
    Off,
    /// Links that stay beneath the folder.
    #[default]
    Beneath,
    /// All links, also out of the folder.
    Anywhere,
}

impl Default for FolderRules {
    fn default() -> Self {
        Self {
            indexes: vec!["index.html".into()],
            lists: false,
            shows_hidden: false,
            links: FollowedLinks::default(),
            precompressed: false,
            fallback: None,
            not_found: None,
        }
    }
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// As `openat2(2)`; fails if the path is no folder.
    pub fn open(path: &Path, rules: FolderRules) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        // Of this kernel: without `openat2`, nothing would keep links beneath the folder.
        rustix::fs::openat2(&handle, ".", flags, Mode::empty(), ResolveFlags::BENEATH)?;
        Ok(Self { path: path.to_owned(), handle, rules })
    }

    /// Returns the path by which the folder was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl PartialEq for Folder {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.rules) == (&other.path, &other.rules)
    }
}

impl FollowedLinks {
    /// Returns the name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Beneath => "beneath",
            Self::Anywhere => "anywhere",
        }
    }
}

impl FromStr for FollowedLinks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Off, Self::Beneath, Self::Anywhere];
        let found = all.into_iter().find(|links| links.name() == text);
        found.ok_or_else(|| format!("'{text}' is none of off, beneath and anywhere"))
    }
}
