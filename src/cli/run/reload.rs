//! Reading everything again while the proxy runs: all of it holds from then on, or nothing.
//!
//! Files are read on a thread, for they may be large or far away, and compared there with what holds.
//! The loop only puts the one in the place of the other. A request that comes meanwhile is answered by
//! the next reading.

use std::any::Any;
use std::sync::Arc;

use crate::proxy::{Command, Mail};
use crate::reactor::Reactor;

use super::program::Program;
use super::reloader::{Held, NOT_RELOADED, ReadResult, Reading, ReloadSource, answer};

/// Requests that may wait for files to be read, also if one is never read.
const MOST_WAITING: usize = 64;

impl Program {
    /// Takes a request by signal.
    pub(super) fn reload(&mut self, reactor: &mut Reactor<Mail>) {
        let comes_yet = |asked: &ReloadSource| matches!(asked, ReloadSource::Signal);
        if !self.reloading.waiting.iter().any(comes_yet) {
            self.ask(ReloadSource::Signal, reactor);
        }
    }

    /// Takes requests of operators.
    pub(super) fn take_reloads(&mut self, reactor: &mut Reactor<Mail>) {
        while let Some(request) = self.worker.take_reload() {
            if self.reloading.waiting.len() < MOST_WAITING {
                self.ask(ReloadSource::Operator(request), reactor);
            } else {
                let reason = "too many wait for files to be read".to_owned();
                self.worker.answer_reload(&request, Err(reason), reactor);
            }
        }
    }

    fn ask(&mut self, asked: ReloadSource, reactor: &mut Reactor<Mail>) {
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
    pub(super) fn on_mail(&mut self, what: Box<dyn Any + Send>, reactor: &mut Reactor<Mail>) {
        match what.downcast::<ReadResult>() {
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
    fn conclude(&mut self, read: ReadResult, reactor: &mut Reactor<Mail>) {
        let wanted = self.reloading.is_wanted();
        if wanted {
            self.worker.command(Command::Reopen, reactor);
        }
        let changes = read.map(|(changes, reading)| {
            reading.into_iter().for_each(|reading| self.apply(reading, reactor));
            changes
        });
        if let (Err(message), true) = (&changes, wanted) {
            self.notices.complain(message);
            self.notices.say(NOT_RELOADED);
        }
        for asked in std::mem::take(&mut self.reloading.served) {
            if let ReloadSource::Operator(request) = asked {
                let answer = answer(&changes, request.plan);
                self.worker.answer_reload(&request, answer, reactor);
            }
        }
    }

    /// Goes on with what was read, and says what of it has to wait for a restart.
    fn apply(&mut self, reading: Reading, reactor: &mut Reactor<Mail>) {
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
