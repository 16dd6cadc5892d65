//! Sources of name resolution: files, or texts instead of them.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Source of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// A file, read by a thread when a name is looked up: at first, and again when its time, length
    /// or inode has changed. A file that does not exist counts as empty. A file that cannot be read
    /// any more keeps its last content. Only regular files are read.
    File(PathBuf),
    /// The content itself, parsed by the loop when the first name is looked up, as in a simulation.
    Text(String),
}

/// Sources of name resolution: the hosts file, the servers, and the way to query them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameSources {
    /// Names and addresses that this machine defines itself: `hosts(5)`.
    pub hosts: NameSource,
    /// Servers and options: `resolv.conf(5)`.
    pub resolv_conf: NameSource,
    /// Servers to query instead of those in `resolv_conf`. The other settings there still apply.
    pub servers: Vec<SocketAddr>,
    /// True to spell names in queries in random case ("0x20"), which makes answers harder to forge;
    /// see [`Server::random_case`](crate::dns::Server::random_case).
    pub random_case: bool,
}

impl Default for NameSources {
    /// Reads the system's files, with random case.
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
