//! Reading everything again while the proxy runs: all of it holds from then on, or nothing.
//!
//! Files are read on a thread, for they may be large or far away, and compared there with what holds.
//! The loop only puts the one in the place of the other. A request that comes meanwhile is answered by
//! the next reading.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::cli::args::options::RunArgs;
use crate::config::{LogTarget, Options};
use crate::proxy::{Command, Mail, ReloadRequest, Settings};
use crate::reactor::{Background, Mailbox, Reactor};

use super::rights::Rights;
use super::start::addresses_of_this_machine;
use super::{Program, plan};

/// Requests that may wait for files to be read, also if one is never read.
const MOST_WAITING: usize = 64;

/// A request to read the files again.
#[derive(Debug)]
enum Asked {
    Signal,
    Operator(ReloadRequest),
}

impl Asked {
    const fn is_plan(&self) -> bool {
        matches!(self, Self::Operator(ReloadRequest { plan: true, .. }))
    }
}

/// The configuration that holds while files are read.
struct Held {
    args: Arc<RunArgs>,
    pseudonym: Arc<str>,
    options: Arc<Options>,
    settings: Arc<Settings>,
    addresses: Arc<[SocketAddr]>,
    rights: Arc<Rights>,
}

/// A configuration that is to take the place of the one that holds.
struct Reading {
    options: Options,
    settings: Arc<Settings>,
    warnings: Vec<String>,
    /// Options that have changed and take a restart.
    restarts: Vec<&'static str>,
    /// Another place for the access log.
    access_log: Option<LogTarget>,
}

/// The outcome of a reading: what would change, a line each, and the configuration if it is wanted; or
/// what is wrong with it.
type Read = Result<(String, Option<Reading>), String>;

/// Readings of the configuration, and the requests for them.
pub(super) struct Reloading {
    reader: Background<Mail>,
    /// Requests that the reading under way will answer.
    served: Vec<Asked>,
    /// Requests that have come since.
    waiting: Vec<Asked>,
}

impl Reloading {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self { reader: Background::new(1, mailbox), served: Vec::new(), waiting: Vec::new() }
    }

    /// Returns true if the configuration is wanted, not only what would change.
    fn is_wanted(&self) -> bool {
        self.served.iter().any(|asked| !asked.is_plan())
    }
}

impl Program {
    /// Takes a request by signal.
    pub(super) fn reload(&mut self, reactor: &mut Reactor<Mail>) {
        let comes_yet = |asked: &Asked| matches!(asked, Asked::Signal);
        if !self.reloading.waiting.iter().any(comes_yet) {
            self.ask(Asked::Signal, reactor);
        }
    }

    /// Takes requests of operators.
    pub(super) fn take_reloads(&mut self, reactor: &mut Reactor<Mail>) {
        while let Some(request) = self.worker.take_reload() {
            if self.reloading.waiting.len() < MOST_WAITING {
                self.ask(Asked::Operator(request), reactor);
            } else {
                let reason = "too many wait for files to be read".to_owned();
                self.worker.answer_reload(&request, Err(reason), reactor);
            }
        }
    }

    fn ask(&mut self, asked: Asked, reactor: &mut Reactor<Mail>) {
        self.reloading.waiting.push(asked);
        if self.reloading.served.is_empty() {
            self.read(reactor);
        }
    }

    /// Has files read for the requests that wait.
    fn read(&mut self, reactor: &mut Reactor<Mail>) {
        self.reloading.served = std::mem::take(&mut self.reloading.waiting);
        let (held, wanted) = (self.held(), self.reloading.is_wanted());
        let job = move || Mail::Program(Box::new(held.read(wanted)));
        if let Err(error) = self.reloading.reader.run(job) {
            self.conclude(Err(format!("no thread to read files: {error}")), reactor);
        }
    }

    fn held(&self) -> Held {
        Held {
            args: Arc::clone(&self.args),
            pseudonym: Arc::clone(&self.pseudonym),
            options: Arc::clone(&self.options),
            settings: Arc::clone(self.worker.settings()),
            addresses: Arc::clone(&self.addresses),
            rights: Arc::clone(&self.rights),
        }
    }

    /// Takes mail that is not for the proxy: files have been read, or pages given back.
    pub(super) fn told(&mut self, what: Box<dyn Any + Send>, reactor: &mut Reactor<Mail>) {
        match what.downcast::<Read>() {
            Ok(read) => {
                self.conclude(*read, reactor);
                if !self.reloading.waiting.is_empty() {
                    self.read(reactor);
                }
            }
            Err(_) => self.heap.purged(),
        }
    }

    /// Goes by what was read if that is right and wanted, and answers the requests.
    fn conclude(&mut self, read: Read, reactor: &mut Reactor<Mail>) {
        let wanted = self.reloading.is_wanted();
        if wanted {
            self.worker.command(Command::Reopen, reactor);
        }
        let changes = read.map(|(changes, reading)| {
            reading.into_iter().for_each(|reading| self.take_over(reading, reactor));
            changes
        });
        if let (Err(message), true) = (&changes, wanted) {
            self.notices.complain(message);
            self.notices.say(NOT_RELOADED);
        }
        for asked in std::mem::take(&mut self.reloading.served) {
            if let Asked::Operator(request) = asked {
                let answer = answer(&changes, request.plan);
                self.worker.answer_reload(&request, answer, reactor);
            }
        }
    }

    /// Goes on with what was read, and says what of it has to wait for a restart.
    fn take_over(&mut self, reading: Reading, reactor: &mut Reactor<Mail>) {
        let Reading { options, settings, warnings, restarts, access_log } = reading;
        self.worker.command(Command::Reload(settings), reactor);
        let replaced = std::mem::replace(&mut self.options, Arc::new(options));
        self.reloading.reader.discard(replaced);
        access_log.into_iter().for_each(|target| self.log.redirect(target));
        for name in restarts {
            self.notices.say(format_args!("{name} has changed; that takes a restart"));
        }
        warnings.iter().for_each(|warning| self.notices.say(warning));
        self.notices.say("reloaded");
    }
}

const NOT_RELOADED: &str = "not reloaded: the settings stay as they were";

impl Held {
    /// Reads all files, and compares; takes what is held along, so that none of it is left to be
    /// freed by the loop.
    fn read(self, wanted: bool) -> Read {
        let read = self.options_and_settings();
        let read = read.map_err(|message| plan::shortened(&self.rights.explained(message)));
        let (mut options, settings) = read?;
        let changes = self.options.changes(&options);
        let text = plan::text(&changes, &self.settings, &settings);
        if !wanted {
            return Ok((text, None));
        }
        let mut restarts: Vec<_> = changes.iter().filter(|change| change.takes_restart).collect();
        restarts.dedup_by_key(|change| change.name);
        let restarts = restarts.iter().map(|change| change.name).collect();
        let warnings = options.auth.warnings(settings.auth.as_ref(), &self.addresses);
        let moved = self.options.access_log != options.access_log;
        let access_log = moved.then(|| options.access_log.clone());
        options.keep_fixed(&self.options);
        let settings = Arc::new(settings);
        Ok((text, Some(Reading { options, settings, warnings, restarts, access_log })))
    }

    fn options_and_settings(&self) -> Result<(Options, Settings), String> {
        let options = self.args.options()?;
        let settings = options.settings(&self.pseudonym)?;
        addresses_of_this_machine(&settings).map_err(|error| error.to_string())?;
        self.rights.permit(&settings)?;
        Ok((options, settings))
    }
}

/// The answer to an operator.
fn answer(changes: &Result<String, String>, plan: bool) -> Result<String, String> {
    match (changes, plan) {
        (Ok(changes), true) if changes.is_empty() => Ok("nothing would change".into()),
        (Ok(changes), true) => Ok(changes.trim_end().to_owned()),
        (Ok(changes), false) => Ok(format!("{changes}reloaded")),
        (Err(message), true) => Err(message.clone()),
        (Err(message), false) => Err(format!("{message}\n{NOT_RELOADED}")),
    }
}
