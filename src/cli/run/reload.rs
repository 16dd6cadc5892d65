//! Reloads while the proxy runs: the whole new configuration takes effect, or none of it.
//!
//! A thread reads the files, which may be large or on slow storage, and compares them with the
//! configuration in force. The loop only exchanges the two. A request that arrives meanwhile is
//! served by the next reading.

use std::any::Any;
use std::sync::Arc;

use crate::proxy::{Command, Mail};
use crate::reactor::Reactor;

use super::acme_store::Unsaved;
use super::ban_store::{BanStore, BansWritten};
use super::certificate_watch::Found;
use super::disk_watch::DiskNews;
use super::geoip_watch::FoundPlaces;
use super::program::Program;
use super::reloader::{Held, NOT_RELOADED, ReadResult, Reading, ReloadSource, answer};
use super::supervisor_link::FromSupervisor;

/// Limit of reload requests that wait for a reading, even one that never ends.
const MOST_WAITING: usize = 64;

impl Program {
    /// Handles a reload requested by signal.
    pub(super) fn reload(&mut self, reactor: &mut Reactor<Mail>) {
        let comes_yet = |asked: &ReloadSource| matches!(asked, ReloadSource::Signal);
        if !self.reloading.waiting.iter().any(comes_yet) {
            self.ask(ReloadSource::Signal, reactor);
        }
    }

    /// Handles reloads requested over the control socket.
    pub(super) fn take_reloads(&mut self, reactor: &mut Reactor<Mail>) {
        while let Some(request) = self.worker.take_reload() {
            if self.reloading.waiting.len() < MOST_WAITING {
                self.ask(ReloadSource::Operator(request), reactor);
            } else {
                let reason = "too many reloads are waiting".to_owned();
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

    /// Starts a reading for the waiting requests.
    fn read(&mut self, reactor: &mut Reactor<Mail>) {
        self.reloading.served = std::mem::take(&mut self.reloading.waiting);
        let (held, wanted) = (self.held(), self.reloading.is_wanted());
        if wanted {
            self.overseer.reloading();
        }
        let job = move || Mail::Program(Box::new(held.read(wanted)));
        if let Err(error) = self.reloading.reader.run(job) {
            self.conclude(Err(format!("cannot start a thread to read files: {error}")), reactor);
        }
    }

    fn held(&self) -> Held {
        Held {
            args: Arc::clone(&self.args),
            pseudonym: Arc::clone(&self.pseudonym),
            options: Arc::clone(&self.options),
            settings: Arc::clone(self.worker.settings()),
            in_clear: Arc::clone(&self.in_clear),
            rights: Arc::clone(&self.rights),
        }
    }

    /// Handles mail for the program: the result of a reading, an order of the supervisor, certificates or
    /// databases of places that have changed, a disk that fills up, a file that was not written, or the report that pages were returned.
    pub(super) fn on_mail(&mut self, what: Box<dyn Any + Send>, reactor: &mut Reactor<Mail>) {
        let what = match what.downcast::<ReadResult>() {
            Ok(read) => {
                self.conclude(*read, reactor);
                if !self.reloading.waiting.is_empty() {
                    self.read(reactor);
                }
                return;
            }
            Err(other) => other,
        };
        let what = match what.downcast::<FromSupervisor>() {
            Ok(told) => return self.on_order(*told, reactor),
            Err(other) => other,
        };
        let what = match what.downcast::<Found>() {
            Ok(found) => {
                let Found { watch, server, lines } = *found;
                if self.certificates.as_ref().is_none_or(|present| present.number != watch) {
                    return; // the files were read by a reload since
                }
                server.into_iter().for_each(|tls| self.worker.serve_tls(tls));
                return lines.iter().for_each(|line| self.notices.say(line));
            }
            Err(other) => other,
        };
        let what = match what.downcast::<FoundPlaces>() {
            Ok(found) => {
                let FoundPlaces { watch, databases, lines } = *found;
                if self.places.as_ref().is_none_or(|present| present.number != watch) {
                    return; // the files were read by a reload since
                }
                databases.into_iter().for_each(|it| self.worker.locate_by(it, reactor));
                return lines.iter().for_each(|line| self.notices.say(line));
            }
            Err(other) => other,
        };
        let what = match what.downcast::<DiskNews>() {
            Ok(news) => {
                let DiskNews { watch, line } = *news;
                if self.disks.as_ref().is_some_and(|present| present.number == watch) {
                    self.notices.say(line);
                }
                return;
            }
            Err(other) => other,
        };
        let what = match what.downcast::<BansWritten>() {
            Ok(written) => {
                self.bans.iter_mut().for_each(BanStore::written);
                let BansWritten(Unsaved(reason)) = *written;
                return reason.iter().for_each(|reason| {
                    self.worker.save_bans_again(reactor);
                    self.notices.complain(reason);
                });
            }
            Err(other) => other,
        };
        match what.downcast::<Unsaved>() {
            Ok(unsaved) => unsaved.0.iter().for_each(|reason| self.notices.complain(reason)),
            Err(_) => self.heap.purged(),
        }
    }

    /// Applies what was read if it is valid and wanted, and answers the requests.
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
        if wanted {
            self.overseer.reloaded(if changes.is_ok() { "reloaded" } else { NOT_RELOADED });
        }
        for asked in std::mem::take(&mut self.reloading.served) {
            if let ReloadSource::Operator(request) = asked {
                let answer = answer(&changes, request.plan);
                self.worker.answer_reload(&request, answer, reactor);
            }
        }
    }

    /// Applies a new configuration, and reports the changes that need a restart.
    fn apply(&mut self, reading: Reading, reactor: &mut Reactor<Mail>) {
        let Reading { options, settings, warnings, restarts, access_log } = reading;
        // The log was flushed for its reopening: lines from now on have the form for the new output.
        let is_log_moved = access_log.is_some();
        access_log.into_iter().for_each(|output| self.log.redirect(output));
        self.worker.command(Command::Reload(settings), reactor);
        let replaced = std::mem::replace(&mut self.options, Arc::new(options));
        self.reloading.reader.discard(replaced);
        if is_log_moved {
            let log = self.options.access_log.clone();
            self.watch_disks(&log, reactor);
        }
        self.watch_files(reactor);
        for name in restarts {
            self.notices.say(format_args!("{name} has changed; that takes a restart"));
        }
        warnings.iter().for_each(|warning| self.notices.say(warning));
        self.notices.say("reloaded");
    }
}
