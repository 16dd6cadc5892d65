//! Requests to reload, and readings of the configuration on a thread.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::cli::args::options::RunArgs;
use crate::config::{Change, LogOutput, Options, auth_warnings};
use crate::proxy::{Mail, ReloadRequest, ServiceId, Settings};
use crate::reactor::{Mailbox, ThreadPool};

use super::environment::addresses_of_this_machine;
use super::plan;
use super::rights::Rights;

pub(super) const NOT_RELOADED: &str = "not reloaded: the settings stay as they were";

/// Origin of a request to reload.
#[derive(Debug)]
pub(super) enum ReloadSource {
    Signal,
    Operator(ReloadRequest),
}

impl ReloadSource {
    const fn is_plan(&self) -> bool {
        matches!(self, Self::Operator(ReloadRequest { plan: true, .. }))
    }
}

/// The configuration in force while files are read.
pub(super) struct Held {
    pub(super) args: Arc<RunArgs>,
    pub(super) pseudonym: Arc<str>,
    pub(super) options: Arc<Options>,
    pub(super) settings: Arc<Settings>,
    pub(super) in_clear: Arc<[(ServiceId, SocketAddr)]>,
    pub(super) rights: Arc<Rights>,
}

/// A new configuration.
pub(super) struct Reading {
    pub(super) options: Options,
    pub(super) settings: Arc<Settings>,
    pub(super) warnings: Vec<String>,
    /// Changed options that need a restart.
    pub(super) restarts: Vec<&'static str>,
    /// New output of the access log, if it has changed.
    pub(super) access_log: Option<LogOutput>,
}

/// Result of a reading: the changes, one per line, with the new configuration if it is wanted; or
/// an error message.
pub(super) type ReadResult = Result<(String, Option<Reading>), String>;

/// The reading thread, and the requests that it serves.
pub(super) struct Reloader {
    pub(super) reader: ThreadPool<Mail>,
    /// Requests that the present reading will answer.
    pub(super) served: Vec<ReloadSource>,
    /// Requests that have arrived since.
    pub(super) waiting: Vec<ReloadSource>,
}

impl Reloader {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self { reader: ThreadPool::new(1, mailbox), served: Vec::new(), waiting: Vec::new() }
    }

    /// Returns true if a request wants the configuration applied, not only compared.
    pub(super) fn is_wanted(&self) -> bool {
        self.served.iter().any(|asked| !asked.is_plan())
    }
}

impl Held {
    /// Reads and compares all files. Consumes `self`, so that the thread and not the loop frees it.
    pub(super) fn read(self, wanted: bool) -> ReadResult {
        let read = self.compared();
        let read = read.map_err(|message| plan::shortened(&self.rights.explained(message)));
        let (options, settings, changes) = read?;
        let text = plan::text(&changes, &self.settings, &settings);
        if !wanted {
            return Ok((text, None));
        }
        let restarts = restarts(&changes);
        let mut warnings = auth_warnings(&settings, &self.in_clear);
        warnings.extend(options.tls.warnings(settings.server_tls.as_deref()));
        let output = |options: &Options| options.log.output(&options.access_log);
        let moved = output(&self.options) != output(&options);
        let access_log = moved.then(|| output(&options));
        let settings = Arc::new(settings);
        Ok((text, Some(Reading { options, settings, warnings, restarts, access_log })))
    }

    /// Returns the new configuration, in which options that take a restart are as they were, and the
    /// changes.
    fn compared(&self) -> Result<(Options, Settings, Vec<Change>), String> {
        let mut options = self.args.options()?;
        let changes = self.options.changes(&options);
        // Settings fit the sockets that are open: those of a changed `listen-tls` are not.
        options.keep_fixed(&self.options);
        let settings =
            options.settings(&self.pseudonym).map_err(|message| match restarts(&changes)[..] {
                [] => message,
                ref names => {
                    format!("{message} (a restart is needed to change {})", names.join(", "))
                }
            })?;
        addresses_of_this_machine(&settings).map_err(|error| error.to_string())?;
        self.rights.permit(&settings)?;
        Ok((options, settings, changes))
    }
}

/// Returns the names of changed options that take a restart.
fn restarts(changes: &[Change]) -> Vec<&'static str> {
    let names = changes.iter().filter(|change| change.takes_restart).map(|change| change.name);
    let mut names: Vec<_> = names.collect();
    names.dedup();
    names
}

/// Returns the answer to an operator.
pub(super) fn answer(changes: &Result<String, String>, plan: bool) -> Result<String, String> {
    match (changes, plan) {
        (Ok(changes), true) if changes.is_empty() => Ok("nothing would change".into()),
        (Ok(changes), true) => Ok(changes.trim_end().to_owned()),
        (Ok(changes), false) => Ok(format!("{changes}reloaded")),
        (Err(message), true) => Err(message.clone()),
        (Err(message), false) => Err(format!("{message}\n{NOT_RELOADED}")),
    }
}
