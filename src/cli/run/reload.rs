//! Reading everything again while the proxy runs: all of it holds from then on, or nothing.

use crate::auth::Users;
use crate::config::Options;
use crate::proxy::{Command, Mail, ReloadRequest, Settings};
use crate::reactor::Reactor;

use super::super::say::{complain, say};
use super::{Program, know_this_machine};

/// Users named in one line of a plan.
const NAMED: usize = 20;

/// A configuration that was read and could take the place of the one that holds.
struct Plan {
    options: Options,
    settings: Settings,
    /// What it would change, for people to read.
    changes: Vec<String>,
}

impl Program {
    /// Reads everything again, as a signal wants; what is wrong is said, and all stays as it was.
    pub(super) fn reload(&mut self, reactor: &mut Reactor<Mail>) {
        match self.plan() {
            Ok(plan) => self.take_over(plan, reactor),
            Err(message) => self.keep(&message, reactor),
        }
    }

    /// Does what operators have asked for since.
    pub(super) fn answer_operators(&mut self, reactor: &mut Reactor<Mail>) {
        while let Some(request) = self.worker.take_reload() {
            let answer = self.answer(&request, reactor);
            self.worker.answer_reload(&request, answer, reactor);
        }
    }

    fn answer(
        &mut self,
        request: &ReloadRequest,
        reactor: &mut Reactor<Mail>,
    ) -> Result<String, String> {
        match self.plan() {
            Ok(plan) if request.plan && plan.changes.is_empty() => {
                Ok("nothing would change".into())
            }
            Ok(plan) if request.plan => Ok(plan.changes.join("\n")),
            Ok(mut plan) => {
                let mut lines = std::mem::take(&mut plan.changes);
                self.take_over(plan, reactor);
                lines.push("reloaded".into());
                Ok(lines.join("\n"))
            }
            Err(message) if request.plan => Err(message),
            Err(message) => {
                self.keep(&message, reactor);
                Err(format!("{message}\nnot reloaded: the settings stay as they were"))
            }
        }
    }

    fn plan(&self) -> Result<Plan, String> {
        let options = self.args.options()?;
        let settings = options.settings(&self.pseudonym)?;
        if settings.reverse.is_none() {
            know_this_machine().map_err(|error| error.to_string())?;
        }
        let changes = self.options.changes(&options);
        let (held, nobody) = (self.worker.settings(), Users::default());
        let [old, new] = [&held.auth, &settings.auth]
            .map(|auth| auth.as_ref().map_or(&nobody, |rules| &rules.users));
        let of_users = users_changes(old, new);
        let of_rules = held.destinations.egress.changed_files(&settings.destinations.egress);
        let of_rules = of_rules.map(|file| format!("rules changed: {file}"));
        let changes = changes.iter().map(ToString::to_string);
        let changes = changes.chain(of_users).chain(of_rules).collect();
        Ok(Plan { options, settings, changes })
    }

    /// Goes on with what was read, and says what of it has to wait for a restart.
    fn take_over(&mut self, plan: Plan, reactor: &mut Reactor<Mail>) {
        let Plan { mut options, settings, .. } = plan;
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
        say("reloaded");
    }

    fn keep(&mut self, message: &str, reactor: &mut Reactor<Mail>) {
        self.worker.command(Command::Reopen, reactor);
        complain(message);
        say("not reloaded: the settings stay as they were");
    }
}

/// Which users come, go, or are recognized by something else; never by what.
fn users_changes(old: &Users, new: &Users) -> Vec<String> {
    let changes = old.changes(new);
    [("added", changes.added), ("removed", changes.removed), ("changed", changes.changed)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| {
            let shown = names[..names.len().min(NAMED)].join(", ");
            match names.len().checked_sub(NAMED) {
                None | Some(0) => format!("users {what}: {shown}"),
                Some(more) => format!("users {what}: {shown} and {more} more"),
            }
        })
        .collect()
}
