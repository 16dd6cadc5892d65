//! Rights that the process drops once everything is open, before it starts a thread.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{Access, access};

use crate::cli::args::options::RunArgs;
use crate::cli::folders::folder_of;
use crate::config::{ListenPlace, Options, ResolverKind, places_of_authorities};
use crate::proxy::Settings;

use super::ban_store::own_folder;
use super::confine::{self, Needs};
use super::identity::{self, Identity};
use super::operating::Operating;
use super::output::Output;
use super::shipping::Prepared;
use super::{dumps, files};

/// Remaining rights, which limit what a reload can do.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// The user that the process has become.
    user: Option<String>,
    /// True if the process is confined.
    is_confined: bool,
    /// The ports to which the process can connect, if they are restricted.
    ports: Option<BTreeSet<u16>>,
    /// The folders whose files the process can serve, if it is confined.
    folders: Vec<PathBuf>,
}

impl Rights {
    /// Becomes the configured user and enters the sandbox, if any. Returns the remaining rights,
    /// and lines that describe them.
    ///
    /// # Errors
    /// Fails if the rights cannot be dropped.
    pub(super) fn give_up(
        identity: Option<Identity>,
        (args, options, settings): (&RunArgs, &Options, &Settings),
        (log, operating, shipped): (&Output, &Operating, Option<&Prepared>),
    ) -> io::Result<(Self, Vec<String>)> {
        let reads = files::read_again(args, options, settings);
        let mut lines = Vec::from_iter(identity::warning(identity.as_ref()));
        let user = identity.as_ref().map(|identity| identity.name().to_owned());
        if let Some(identity) = identity {
            hand_over(&identity, options, log, operating)?;
            shipped.map_or(Ok(()), |shipped| shipped.hand_over(&identity))?;
            files::of_acme(options)?.iter().try_for_each(|path| identity.own_at(path))?;
            let bans = [&options.bans.file, &options.bans.nft_file].into_iter().flatten();
            bans.filter(|path| path.exists()).try_for_each(|path| identity.own_at(path))?;
            let failed = |error| format!("cannot become '{}': {error}", identity.name());
            identity.assume().map_err(|error| io::Error::other(failed(error)))?;
            dumps::set(options.core_dumps)?; // the change of users has reset it
            lines.push(format!("  user     {}", identity.name()));
            lines.extend(unreadable(&reads, identity.name()));
            lines.extend(unwritable(options, identity.name()));
            lines.extend(unreplaceable(options, identity.name()));
        }
        let mut rights = Self { user, ..Self::default() };
        if options.confine {
            only_thread()?;
            let log = files::access_log(options).filter(|_| options.log.rotate_size.is_some());
            log.map_or(Ok(()), |path| own_folder("log-rotate-size", path))?;
            let server = shipped.map(Prepared::port);
            let ports =
                settings.dialled_ports().map(|ports| ports.into_iter().chain(server).collect());
            let folders: Vec<PathBuf> = settings.folders().map(Path::to_owned).collect();
            let needs = Needs {
                read: reads,
                authorities: places_of_authorities(),
                folders: folders.clone(),
                library: options.resolver == ResolverKind::System || files::resolves_log(options),
                log: files::access_log(options).map(PathBuf::from),
                rotates: options.log.rotate_size.is_some(),
                state: options.acme.folder.iter().cloned().chain(files::of_bans(options)).collect(),
                spool: shipped.and_then(Prepared::spool).map(Path::to_owned),
                sockets: sockets(options, operating).map(PathBuf::from).collect(),
                ports: ports.clone(),
            };
            lines.extend(confine::enforce(&needs).map_err(io::Error::other)?);
            rights = Self { is_confined: true, ports, folders, ..rights };
        }
        Ok((rights, lines))
    }

    /// Checks that a process with these rights can apply `settings`.
    ///
    /// # Errors
    /// Returns a message about the change that needs a restart.
    pub(super) fn permit(&self, settings: &Settings) -> Result<(), String> {
        let is_readable = |folder: &&Path| self.folders.iter().any(|own| folder.starts_with(own));
        if let Some(folder) =
            settings.folders().find(|folder| self.is_confined && !is_readable(folder))
        {
            return Err(format!(
                "with --confine, the process cannot read {}; other folders need a restart",
                folder.display()
            ));
        }
        let Some(confined) = &self.ports else { return Ok(()) };
        let wanted = settings.dialled_ports();
        if wanted.is_some_and(|wanted| wanted.is_subset(confined)) {
            return Ok(());
        }
        let ports: Vec<String> = confined.iter().map(u16::to_string).collect();
        Err(format!(
            "with --confine, the process can connect to port {} only; other ports need a restart",
            ports.join(", ")
        ))
    }

    /// Returns what to report of a file of name resolution that cannot be read any more.
    pub(super) const fn lost_file(&self) -> &'static str {
        match self.is_confined {
            true => "cannot be read any more; its last content is used until a restart (--confine)",
            false => "cannot be read any more; its last content is used",
        }
    }

    /// Adds the reason to a message about a missing right, if the process gave that right up.
    pub(super) fn explained(&self, message: String) -> String {
        if !message.contains(DENIED) {
            return message;
        }
        let user = self.user.iter().map(|user| format!("it runs as '{user}' (--user)"));
        let confined = self.is_confined.then(|| {
            "it can read only folders known at the start (--confine); others need a restart"
                .to_owned()
        });
        let why: Vec<String> = user.chain(confined).collect();
        if why.is_empty() { message } else { format!("{message}; {}", why.join("; ")) }
    }
}

/// Text of the standard library for a missing right.
const DENIED: &str = "Permission denied";

/// Makes the user the owner of what root has created: the log, the sockets, and the folder of the control
/// socket if this process created it.
fn hand_over(
    identity: &Identity,
    options: &Options,
    log: &Output,
    operating: &Operating,
) -> io::Result<()> {
    log.file().map_or(Ok(()), |file| identity.own(file))?;
    let made = sockets(options, operating).chain(operating.folder.as_deref());
    for path in made {
        identity.own_at(path)?;
    }
    Ok(())
}

/// Returns the paths of sockets that the process has opened in the file system.
fn sockets<'a>(options: &'a Options, operating: &'a Operating) -> impl Iterator<Item = &'a Path> {
    let places = options.listeners.iter().flat_map(|section| &section.places);
    operating.control.as_deref().into_iter().chain(places.filter_map(ListenPlace::path))
}

/// Returns warnings about files that the user cannot read.
fn unreadable(files: &[PathBuf], user: &str) -> Vec<String> {
    let denied = files
        .iter()
        .filter(|file| access(*file, Access::READ_OK) == Err(rustix::io::Errno::ACCESS));
    let warn = |file: &PathBuf| {
        format!("warning: '{user}' cannot read {}, so a reload would fail", file.display())
    };
    denied.map(warn).collect()
}

/// Returns a warning if the user cannot create a new log.
fn unwritable(options: &Options, user: &str) -> Option<String> {
    let folder = folder_of(files::access_log(options)?)?;
    access(&folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!(
        "warning: '{user}' cannot create files in {}: log rotation has to leave a new log there",
        folder.display()
    ))
}

/// Returns warnings about folders in which the user cannot replace the files of bans.
fn unreplaceable(options: &Options, user: &str) -> Vec<String> {
    let denied = files::of_bans(options)
        .filter(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err());
    let warn = |folder: PathBuf| {
        format!("warning: '{user}' cannot create files in {}: bans are not saved", folder.display())
    };
    denied.map(warn).collect()
}

/// Checks that no other thread runs: it would keep its rights.
fn only_thread() -> io::Result<()> {
    match fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(1) | Err(_) => Ok(()), // without /proc, the number is unknown
        Ok(threads) => Err(io::Error::other(format!(
            "--confine failed: {threads} threads are running, which keep their rights"
        ))),
    }
}
