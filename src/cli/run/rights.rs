//! Rights that the process gives up once everything is open, before its first thread.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fs, io};

use rustix::fs::{Access, access};

use crate::cli::args::options::RunArgs;
use crate::cli::folders::folder_of;
use crate::config::{Options, ResolverKind};
use crate::proxy::Settings;

use super::confine::{self, Needs};
use super::identity::{self, Identity};
use super::operating::Operating;
use super::output::Output;
use super::{dumps, files};

/// Rights that are left: what a reload cannot do, and why.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// The user that the process has become.
    user: Option<String>,
    /// True if it is confined.
    is_confined: bool,
    /// The ports to which it can connect, if those are confined.
    ports: Option<BTreeSet<u16>>,
}

impl Rights {
    /// Becomes the user that options name, and gives up what they say. Returns what is left, and lines
    /// that say so.
    ///
    /// # Errors
    /// If rights cannot be given up.
    pub(super) fn give_up(
        identity: Option<Identity>,
        (args, options, settings): (&RunArgs, &Options, &Settings),
        (log, operating): (&Output, &Operating),
    ) -> io::Result<(Self, Vec<String>)> {
        let reads = files::read_again(args, options, settings);
        let mut lines = Vec::from_iter(identity::warning(identity.as_ref()));
        let user = identity.as_ref().map(|identity| identity.name().to_owned());
        if let Some(identity) = identity {
            hand_over(&identity, log, operating)?;
            let failed = |error| format!("cannot become '{}': {error}", identity.name());
            identity.assume().map_err(|error| io::Error::other(failed(error)))?;
            dumps::set(options.core_dumps)?; // a change of users has reset it
            lines.push(format!("  user     {}", identity.name()));
            lines.extend(unreadable(&reads, identity.name()));
            lines.extend(unwritable(options, identity.name()));
        }
        let mut rights = Self { user, ..Self::default() };
        if options.confine {
            only_thread()?;
            let ports = settings.dialled_ports();
            let needs = Needs {
                read: reads,
                library: options.resolver == ResolverKind::System,
                log: files::access_log(options).map(PathBuf::from),
                control: operating.control.clone(),
                ports: ports.clone(),
            };
            lines.extend(confine::enforce(&needs).map_err(io::Error::other)?);
            (rights.is_confined, rights.ports) = (true, ports);
        }
        Ok((rights, lines))
    }

    /// Checks that a process with these rights can go by `settings`.
    ///
    /// # Errors
    /// The change that takes a restart.
    pub(super) fn permit(&self, settings: &Settings) -> Result<(), String> {
        let Some(confined) = &self.ports else { return Ok(()) };
        let wanted = settings.dialled_ports();
        if wanted.is_some_and(|wanted| wanted.is_subset(confined)) {
            return Ok(());
        }
        let ports: Vec<String> = confined.iter().map(u16::to_string).collect();
        Err(format!(
            "with --confine, the process connects to port {} only; other destinations take a restart",
            ports.join(", ")
        ))
    }

    /// Says what becomes of a file about names that cannot be read any more.
    pub(super) const fn lost_file(&self) -> &'static str {
        match self.is_confined {
            true => {
                "cannot be read any more: it counts as it was (--confine: a new file takes a restart)"
            }
            false => "cannot be read any more: it counts as it was",
        }
    }

    /// A message, with the reason if it is about rights that were given up.
    pub(super) fn explained(&self, message: String) -> String {
        if !message.contains(DENIED) {
            return message;
        }
        let user = self.user.iter().map(|user| format!("it runs as '{user}' (--user)"));
        let confined = self.is_confined.then(|| {
            "it reads files only where they were at the start (--confine); another place takes a restart"
                .to_owned()
        });
        let why: Vec<String> = user.chain(confined).collect();
        if why.is_empty() { message } else { format!("{message}; {}", why.join("; ")) }
    }
}

/// As the standard library writes the error of a missing right.
const DENIED: &str = "Permission denied";

/// Gives the user what only root could make: the log, the control socket, and its folder if this
/// process has made that.
fn hand_over(identity: &Identity, log: &Output, operating: &Operating) -> io::Result<()> {
    log.file().map_or(Ok(()), |file| identity.own(file))?;
    let made = operating.control.iter().chain(&operating.folder);
    for path in made {
        identity.own_at(path)?;
    }
    Ok(())
}

/// Lines that warn of files which the user cannot read.
fn unreadable(files: &[PathBuf], user: &str) -> Vec<String> {
    let denied = files
        .iter()
        .filter(|file| access(*file, Access::READ_OK) == Err(rustix::io::Errno::ACCESS));
    let warn = |file: &PathBuf| {
        format!("warning: '{user}' cannot read {}, so a reload would fail", file.display())
    };
    denied.map(warn).collect()
}

/// A line that warns of a log that the user cannot make anew.
fn unwritable(options: &Options, user: &str) -> Option<String> {
    let folder = folder_of(files::access_log(options)?)?;
    access(&folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!(
        "warning: '{user}' cannot make files in {}: a rotation has to leave a new access log there",
        folder.display()
    ))
}

/// Checks that the calling thread is the only one: others would keep their rights.
fn only_thread() -> io::Result<()> {
    match fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(1) | Err(_) => Ok(()), // or nothing is known
        Ok(threads) => {
            Err(io::Error::other(format!("--confine came too late: {threads} threads run")))
        }
    }
}
