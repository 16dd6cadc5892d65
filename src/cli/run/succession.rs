//! Orders of a supervisor, upgrades that operators want, and drains.

use crate::proxy::{Command, Mail};
use crate::reactor::Reactor;
use crate::supervise::link::Order;

use super::program::Program;
use super::supervisor_link::FromSupervisor;

impl Program {
    /// Carries out an order of the supervisor.
    pub(super) fn on_order(&mut self, what: FromSupervisor, reactor: &mut Reactor<Mail>) {
        match what {
            FromSupervisor::Order(Order::Drain) => self.drain(Command::Drain, reactor),
            FromSupervisor::Order(Order::HandOver) => self.drain(Command::HandOver, reactor),
            FromSupervisor::Order(Order::Stop) => self.stop(reactor),
            FromSupervisor::Order(Order::Answer(result)) => {
                if let Some(request) = self.upgrade.take() {
                    self.worker.answer_upgrade(&request, result, reactor);
                }
            }
            FromSupervisor::Gone => {
                self.notices.complain("the supervisor has ended");
                self.drain(Command::Drain, reactor);
            }
        }
    }

    /// Passes requests of operators for upgrades to the supervisor, one at a time.
    pub(super) fn take_upgrades(&mut self, reactor: &mut Reactor<Mail>) {
        while let Some(request) = self.worker.take_upgrade() {
            if self.upgrade.is_some() {
                let reason = "another upgrade is in progress".to_owned();
                self.worker.answer_upgrade(&request, Err(reason), reactor);
            } else {
                self.overseer.upgrade();
                self.upgrade = Some(request);
            }
        }
    }

    /// Begins to drain by this command, unless the proxy drains already.
    pub(super) fn drain(&mut self, how: Command, reactor: &mut Reactor<Mail>) {
        if !self.worker.is_draining() {
            let open = self.worker.open_connections();
            self.notices.say(format_args!("draining {open} open connections"));
            self.overseer.draining();
            self.save_last_bans(reactor);
        }
        self.worker.command(how, reactor);
    }

    /// Ends the proxy at once.
    pub(super) fn stop(&mut self, reactor: &mut Reactor<Mail>) {
        self.interrupted = true;
        self.worker.command(Command::Stop, reactor);
    }

    /// Has the bans saved now: a process that takes the place of this one reads them.
    fn save_last_bans(&mut self, reactor: &Reactor<Mail>) {
        if let Some((store, saved)) =
            self.bans.as_mut().zip(self.worker.take_last_bans(reactor.now()))
        {
            store.write(saved);
        }
    }
}
