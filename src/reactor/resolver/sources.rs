//! Sources of how names are resolved: files, or texts in their place.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A text that says something of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// A file, which a thread reads when a name is looked up: first, and again when its time, length
    /// or place have changed. A file that does not exist is empty until it does; one that cannot be
    /// read any more, or has gone, is as it was. Only regular files are read.
    File(PathBuf),
    /// The text itself, parsed by the loop when the first name is looked up, as in a simulation.
    Text(String),
}

/// Sources of how names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSources {
    /// Names that this machine knows itself: `hosts(5)`.
    pub hosts: NameSource,
    /// The servers, and how they are asked: `resolv.conf(5)`.
    pub resolv_conf: NameSource,
    /// Servers to ask instead of those of `resolv_conf`; what else that says still holds.
    pub servers: Vec<SocketAddr>,
    /// True if queries spell names in random case ("0x20"), which makes answers harder to forge; see
    /// [`Server::random_case`](crate::dns::Server::random_case).
    pub random_case: bool,
}

impl Default for NameSources {
    /// The files of the system.
    fn default() -> Self {
        Self {
            hosts: NameSource::File("/etc/hosts".into()),
            resolv_conf: NameSource::File("/etc/resolv.conf".into()),
            servers: Vec::new(),
            random_case: true,
        }
    }
}

impl NameSources {
    pub(super) fn has_files(&self) -> bool {
        [&self.hosts, &self.resolv_conf].iter().any(|source| matches!(source, NameSource::File(_)))
    }
}
