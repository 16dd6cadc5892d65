//! The sandbox of the process, entered once everything is open (Landlock, landlock(7)).
//!
//! Landlock restricts the calling thread and those it starts, so it must precede the first of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::cli::folders::{folder_of, is_shared};

/// Landlock ABI whose rights are restricted, as far as the kernel supports them.
const KNOWN: ABI = ABI::V6;
/// Folders and files that the C library reads to resolve names.
const OF_LIBRARY: &[&str] =
    &["/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/run/systemd/resolve", "/run/nscd"];

/// Files and ports that the process needs while it runs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Files that are read again.
    pub(super) read: Vec<PathBuf>,
    /// Files and folders with authorities of the system.
    pub(super) authorities: Vec<PathBuf>,
    /// Folders whose files are served.
    pub(super) folders: Vec<PathBuf>,
    /// True if the C library resolves names.
    pub(super) library: bool,
    /// The file of the access log, which is reopened.
    pub(super) log: Option<PathBuf>,
    /// True if the process renames and replaces that file.
    pub(super) rotates: bool,
    /// Folders of certificates that the process obtains, and of bans.
    pub(super) state: Vec<PathBuf>,
    /// Folder of log lines that are not sent yet.
    pub(super) spool: Option<PathBuf>,
    /// Sockets in the file system, which are removed at the end.
    pub(super) sockets: Vec<PathBuf>,
    /// The only ports to which the process connects over TCP; `None` if they are not known.
    pub(super) ports: Option<BTreeSet<u16>>,
}

/// Rights to a file, or to everything in a folder.
struct Grant {
    path: PathBuf,
    rights: BitFlags<AccessFs>,
}

/// Restricts the process to its needs. Returns lines that say what is restricted, and what this
/// kernel cannot restrict.
///
/// # Errors
/// Fails if the kernel supports Landlock and rejects the rules.
pub(super) fn enforce(needs: &Needs) -> Result<Vec<String>, String> {
    let grants = grants(needs);
    let status = restrict(&grants, needs.ports.as_ref());
    let status = status.map_err(|error| format!("--confine failed: {error}"))?;
    Ok(lines(&status, &grants, needs.ports.as_ref()))
}

fn restrict(
    grants: &[Grant],
    ports: Option<&BTreeSet<u16>>,
) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(KNOWN))?;
    if ports.is_some() {
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut rules = rules.create()?;
    for grant in grants {
        rules = add(rules, grant)?;
    }
    for &port in ports.into_iter().flatten() {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    rules.restrict_self()
}

/// Adds a grant, if the file exists.
fn add(rules: RulesetCreated, grant: &Grant) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(&grant.path) {
        Ok(file) => rules.add_rule(PathBeneath::new(file, grant.rights)),
        Err(_) => Ok(rules),
    }
}

fn grants(needs: &Needs) -> Vec<Grant> {
    let mut grants = Vec::new();
    let reads = needs.read.iter().map(|file| grant(file, AccessFs::ReadFile.into()));
    grants.extend(reads);
    grants.extend(needs.authorities.iter().map(|path| authorities(path)));
    grants.extend(
        needs.folders.iter().map(|path| Grant {
            path: path.clone(),
            rights: AccessFs::ReadFile | AccessFs::ReadDir,
        }),
    );
    if needs.library {
        let library = OF_LIBRARY.iter().map(|path| Grant {
            path: path.into(),
            rights: AccessFs::ReadFile | AccessFs::ReadDir,
        });
        grants.extend(library);
    }
    let replaced = if needs.rotates { AccessFs::RemoveFile.into() } else { BitFlags::EMPTY };
    let log = AccessFs::WriteFile | AccessFs::MakeReg | replaced;
    grants.extend(needs.log.iter().map(|path| grant(path, log)));
    grants.extend(needs.state.iter().map(|path| Grant {
        path: path.clone(),
        rights: AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile,
    }));
    grants.extend(needs.spool.iter().map(|path| Grant {
        path: path.clone(),
        rights: AccessFs::ReadFile
            | AccessFs::ReadDir
            | AccessFs::WriteFile
            | AccessFs::MakeReg
            | AccessFs::RemoveFile,
    }));
    grants.extend(needs.sockets.iter().map(|path| grant(path, AccessFs::RemoveFile.into())));
    grants.retain(|grant| !grant.rights.is_empty());
    grants
}

/// Returns a grant of a file or folder with authorities. The folder of a file may be replaced as a
/// whole, with the links in it.
fn authorities(path: &Path) -> Grant {
    match path.is_dir() {
        true => Grant { path: path.to_owned(), rights: AccessFs::ReadFile | AccessFs::ReadDir },
        false => grant(path, AccessFs::ReadFile.into()),
    }
}

/// Returns a grant of the file's folder, because a replaced file is a different one. If the folder
/// holds all kinds of files, returns a grant of the file alone.
fn grant(file: &Path, rights: BitFlags<AccessFs>) -> Grant {
    match folder_of(file).filter(|folder| !is_shared(folder)) {
        Some(path) => Grant { path, rights },
        None => {
            let path = file.to_owned();
            Grant { path, rights: rights & AccessFs::from_file(KNOWN) }
        }
    }
}

/// Returns lines that say what is restricted.
fn lines(
    status: &RestrictionStatus,
    grants: &[Grant],
    ports: Option<&BTreeSet<u16>>,
) -> Vec<String> {
    let LandlockStatus::Available { effective_abi: abi, .. } = status.landlock else {
        return vec![NOTHING.to_owned()];
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return vec![NOTHING.to_owned()];
    }
    let mut line = format!("  confined reads {}", paths(grants, AccessFs::ReadFile));
    line.push_str(&format!("; writes {}", paths(grants, AccessFs::WriteFile)));
    if abi >= ABI::V4 {
        line.push_str("; listens nowhere else");
        if let Some(ports) = ports {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            line.push_str(&format!("; connects to port {}", ports.join(", ")));
        }
    }
    let partly = (abi < ABI::V4).then(|| {
        "warning: --confine restricts files only: this kernel cannot restrict TCP (Linux 6.7 can)"
            .to_owned()
    });
    [line].into_iter().chain(partly).collect()
}

const NOTHING: &str = "warning: --confine restricts nothing: this kernel has no Landlock (Linux 5.13), \
                       or did not enable it at boot ('landlock' in lsm=)";

fn paths(grants: &[Grant], right: AccessFs) -> String {
    let paths: BTreeSet<String> = grants
        .iter()
        .filter(|grant| grant.rights.contains(right))
        .map(|grant| grant.path.display().to_string())
        .collect();
    if paths.is_empty() { "nothing".to_owned() } else { Vec::from_iter(paths).join(", ") }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{self, ErrorKind};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    fn kind<T>(done: io::Result<T>) -> Option<ErrorKind> {
        done.err().map(|error| error.kind())
    }

    /// Creates a folder with two subfolders, `open` and `closed`, and a file in each.
    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidegate-confine-{}", std::process::id()));
        for part in ["open", "closed"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            fs::write(folder.join(part).join("file"), part).unwrap();
        }
        folder
    }

    /// Landlock restricts the thread that enters it, so the other tests are not affected.
    #[test]
    fn confined_thread_reads_and_connects_only_where_it_may() {
        let folder = folder();
        let listeners = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let [allowed, denied] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let needs = Needs {
            read: vec![folder.join("open/file")],
            log: Some(folder.join("open/log")),
            ports: Some([allowed.port()].into()),
            ..Needs::default()
        };
        fs::write(folder.join("open/other"), "it will replace the first").unwrap();
        fs::rename(folder.join("open/other"), folder.join("open/file")).unwrap();
        let path = folder.clone();
        let confined = thread::spawn(move || {
            let lines = enforce(&needs).unwrap();
            if lines == [NOTHING] {
                return None; // this kernel has no Landlock, as the warning says
            }
            let refused = Some(ErrorKind::PermissionDenied);
            assert_eq!(kind(File::open(path.join("open/file"))), None);
            assert_eq!(kind(File::create_new(path.join("open/log"))), None);
            assert_eq!(kind(File::open(path.join("closed/file"))), refused);
            assert_eq!(kind(File::create_new(path.join("closed/new"))), refused);
            assert_eq!(kind(fs::remove_file(path.join("open/file"))), refused);
            if lines.len() == 1 {
                assert_eq!(kind(TcpListener::bind("127.0.0.1:0")), refused);
                assert_eq!(kind(TcpStream::connect(allowed)), None);
                assert_eq!(kind(TcpStream::connect(denied)), refused);
            }
            Some(lines)
        });
        let lines = confined.join().unwrap();
        let open = folder.join("open").canonicalize().unwrap().display().to_string();
        fs::remove_dir_all(&folder).unwrap();
        if let Some(lines) = lines {
            let reads = format!("  confined reads {open}; writes {open}");
            assert!(lines[0].starts_with(&reads), "{lines:?}");
        }
        assert_eq!(kind(File::open("/etc/passwd")), None, "this thread is not restricted");
    }

    #[test]
    fn shared_folders_are_not_granted_as_a_whole() {
        let read = ["/etc/hosts", "/etc/tidegate/users"].map(PathBuf::from).to_vec();
        let sockets = vec!["/tmp/control.sock".into()];
        let grants = grants(&Needs { read, sockets, ..Needs::default() });
        let paths: Vec<_> = grants.iter().map(|grant| grant.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["/etc/hosts", "/etc/tidegate"]);
    }
}
