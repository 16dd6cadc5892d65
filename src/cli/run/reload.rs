//! Reading everything again while the proxy runs: all of it holds from then on, or nothing.
//!
//! Files are read on a thread, for they may be large or far away. Who asks while that goes on is
//! answered by the next reading.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Users;
use crate::config::Options;
use crate::proxy::{AuthRules, Command, Mail, ReloadRequest, Settings};
use crate::reactor::{Background, Mailbox, Reactor};

use super::super::args::RunArgs;
use super::super::say::{complain, say};
use super::{Program, know_this_machine};

/// Who may wait for files to be read; a file that is never read does not make them more.
const MOST_WAITING: usize = 64;
/// Users named in one line of a plan.
const NAMED: usize = 20;

/// Who wants files to be read again.
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

/// A configuration that could take the place of the one that holds, or what is wrong with it.
type Read = Result<Box<(Options, Settings)>, String>;

/// What is read, and for whom.
pub(super) struct Reloading {
    reader: Background<Mail>,
    /// Those for whom it is being read.
    served: Vec<Asked>,
    /// Those who have come since.
    waiting: Vec<Asked>,
}

impl Reloading {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self { reader: Background::new(1, mailbox), served: Vec::new(), waiting: Vec::new() }
    }
}

impl Program {
    /// A signal wants everything to be read again.
    pub(super) fn reload(&mut self, reactor: &mut Reactor<Mail>) {
        let comes_yet = |asked: &Asked| matches!(asked, Asked::Signal);
        if !self.reloading.waiting.iter().any(comes_yet) {
            self.ask(Asked::Signal, reactor);
        }
    }

    /// So do operators, who have asked since.
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

    /// Has files read for those who wait.
    fn read(&mut self, reactor: &mut Reactor<Mail>) {
        self.reloading.served = std::mem::take(&mut self.reloading.waiting);
        let (args, pseudonym) = (self.args.clone(), self.pseudonym.clone());
        let job = move || Mail::Program(Box::new(read(&args, &pseudonym)));
        if let Err(error) = self.reloading.reader.run(job) {
            self.conclude(Err(format!("no thread to read files: {error}")), reactor);
        }
    }

    /// Something that was not for the proxy: files have been read.
    pub(super) fn told(
        &mut self,
        what: Box<dyn std::any::Any + Send>,
        reactor: &mut Reactor<Mail>,
    ) {
        if let Ok(read) = what.downcast::<Read>() {
            self.conclude(*read, reactor);
            if !self.reloading.waiting.is_empty() {
                self.read(reactor);
            }
        }
    }

    /// Goes by what was read if that is right and wanted, and tells everybody.
    fn conclude(&mut self, read: Read, reactor: &mut Reactor<Mail>) {
        let served = std::mem::take(&mut self.reloading.served);
        let wanted = served.iter().any(|asked| !asked.is_plan());
        let changes = read.map(|read| {
            let changes = self.changes(&read);
            if wanted {
                self.take_over(*read, reactor);
            }
            changes
        });
        if let (Err(message), true) = (&changes, wanted) {
            self.worker.command(Command::Reopen, reactor);
            complain(message);
            say("not reloaded: the settings stay as they were");
        }
        for asked in served {
            if let Asked::Operator(request) = asked {
                let answer = answer(&changes, request.plan);
                self.worker.answer_reload(&request, answer, reactor);
            }
        }
    }

    /// What would change, a line each.
    fn changes(&self, (options, settings): &(Options, Settings)) -> Vec<String> {
        let held = self.worker.settings();
        let of_users = users_changes(held.auth.as_ref(), settings.auth.as_ref());
        let of_rules = held.destinations.egress.changed_files(&settings.destinations.egress);
        let of_rules = of_rules.map(|file| format!("rules changed: {file}"));
        let changes = self.options.changes(options);
        let changes = changes.iter().map(ToString::to_string);
        changes.chain(of_users).chain(of_rules).collect()
    }

    /// Goes on with what was read, and says what of it has to wait for a restart.
    fn take_over(
        &mut self,
        (mut options, settings): (Options, Settings),
        reactor: &mut Reactor<Mail>,
    ) {
        let warnings = options.auth.warnings(settings.auth.as_ref(), &self.addresses);
        self.worker.command(Command::Reopen, reactor);
        self.worker.command(Command::Reload(Box::new(settings)), reactor);
        let mut waiting = self.options.changes(&options);
        waiting.retain(|change| change.takes_restart);
        waiting.dedup_by_key(|change| change.name);
        for change in waiting {
            say(format_args!("{} has changed; that takes a restart", change.name));
        }
        if self.options.access_log != options.access_log {
            self.log.redirect(options.access_log.clone());
        }
        options.keep_fixed(&self.options);
        self.options = options;
        warnings.iter().for_each(say);
        say("reloaded");
    }
}

/// Reads all files.
fn read(args: &RunArgs, pseudonym: &str) -> Read {
    let options = args.options()?;
    let settings = options.settings(pseudonym)?;
    if settings.reverse.is_none() {
        know_this_machine().map_err(|error| error.to_string())?;
    }
    Ok(Box::new((options, settings)))
}

/// What an operator is told.
fn answer(changes: &Result<Vec<String>, String>, plan: bool) -> Result<String, String> {
    match (changes, plan) {
        (Ok(changes), true) if changes.is_empty() => Ok("nothing would change".into()),
        (Ok(changes), true) => Ok(changes.join("\n")),
        (Ok(changes), false) => {
            let done = ["reloaded".to_owned()];
            Ok(changes.iter().chain(&done).map(String::as_str).collect::<Vec<_>>().join("\n"))
        }
        (Err(message), true) => Err(message.clone()),
        (Err(message), false) => {
            Err(format!("{message}\nnot reloaded: the settings stay as they were"))
        }
    }
}

/// Which users come, go, or are recognized by something else, for each thing that is protected.
fn users_changes(old: Option<&AuthRules>, new: Option<&AuthRules>) -> Vec<String> {
    let spaces = |rules: Option<&AuthRules>| -> BTreeMap<String, Users> {
        let spaces = rules.map(|rules| rules.spaces.as_slice()).unwrap_or_default();
        spaces.iter().map(|space| (space.path.as_str().to_owned(), space.users.clone())).collect()
    };
    let (old, new) = (spaces(old), spaces(new));
    let (nobody, paths) = (Users::default(), old.keys().chain(new.keys()).collect::<BTreeSet<_>>());
    let users =
        |spaces: &'_ BTreeMap<String, Users>, path| spaces.get(path).unwrap_or(&nobody).clone();
    let changes = paths.into_iter().flat_map(|path| {
        let place = if path == "/" { String::new() } else { format!(" of {path}") };
        named(&place, &users(&old, path), &users(&new, path))
    });
    changes.collect()
}

/// Lines that name users; never what they are recognized by.
fn named(place: &str, old: &Users, new: &Users) -> Vec<String> {
    let changes = old.changes(new);
    [("added", changes.added), ("removed", changes.removed), ("changed", changes.changed)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| {
            let shown = names[..names.len().min(NAMED)].join(", ");
            match names.len().checked_sub(NAMED) {
                None | Some(0) => format!("users{place} {what}: {shown}"),
                Some(more) => format!("users{place} {what}: {shown} and {more} more"),
            }
        })
        .collect()
}
