//! The process that watches this one: a supervisor, a service manager, or none.

use std::io;
use std::time::Duration;

use crate::cli::service_manager::ServiceManager;
use crate::proxy::Mail;
use crate::reactor::Mailbox;
use crate::supervise::link::{Report, STATE_VERSION};

use super::supervisor_link::SupervisorLink;

/// The process that is told of the state of this one.
#[derive(Debug)]
pub(in crate::cli) enum Overseer {
    /// No process watches this one.
    Nobody,
    /// A service manager, such as systemd.
    ServiceManager(ServiceManager),
    /// The supervisor of this worker.
    Supervisor(SupervisorLink),
}

impl Overseer {
    /// Returns the service manager that has started this process, if it wants to be told.
    ///
    /// # Errors
    /// As [`ServiceManager::connect`].
    pub(in crate::cli) fn of_process() -> Result<Self, String> {
        Ok(ServiceManager::connect()?.map_or(Self::Nobody, Self::ServiceManager))
    }

    /// Returns true for a supervisor.
    pub(super) const fn is_supervisor(&self) -> bool {
        matches!(self, Self::Supervisor(_))
    }

    /// Returns the beginning of the lines that this process writes on standard error.
    pub(super) fn mark(&self) -> String {
        match self {
            Self::Supervisor(link) => format!("worker {}: ", link.number()),
            Self::Nobody | Self::ServiceManager(_) => String::new(),
        }
    }

    /// Returns the time between two signs of life, if any are wanted.
    pub(super) fn interval(&self) -> Option<Duration> {
        match self {
            Self::Nobody => None,
            Self::ServiceManager(manager) => manager.interval(),
            Self::Supervisor(link) => Some(link.interval()),
        }
    }

    /// Delivers orders of a supervisor to `mailbox` from now on.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn listen(&self, mailbox: Mailbox<Mail>) -> io::Result<()> {
        match self {
            Self::Supervisor(link) => link.listen(mailbox),
            Self::Nobody | Self::ServiceManager(_) => Ok(()),
        }
    }

    /// Says that the process serves.
    pub(super) fn ready(&self) {
        match self {
            Self::Nobody => {}
            Self::ServiceManager(manager) => manager.ready("serving"),
            Self::Supervisor(link) => link.send(&Report::Ready(STATE_VERSION)),
        }
    }

    /// Says why the process cannot start.
    pub(in crate::cli) fn failed(&self, reason: &str) {
        if let Self::Supervisor(link) = self {
            link.send(&Report::Failed(reason.to_owned()));
        }
    }

    /// Gives a sign of life.
    pub(super) fn beat(&self) {
        match self {
            Self::Nobody => {}
            Self::ServiceManager(manager) => manager.beat(),
            Self::Supervisor(link) => link.send(&Report::Beat),
        }
    }

    /// Says that the configuration is read again.
    pub(super) fn reloading(&self) {
        match self {
            Self::Nobody => {}
            Self::ServiceManager(manager) => manager.reloading(),
            Self::Supervisor(link) => link.send(&Report::Reloading),
        }
    }

    /// Says with which result the configuration was read again.
    pub(super) fn reloaded(&self, result: &str) {
        match self {
            Self::Nobody => {}
            Self::ServiceManager(manager) => manager.ready(result),
            Self::Supervisor(link) => link.send(&Report::Reloaded(result.to_owned())),
        }
    }

    /// Says that the process drains.
    pub(super) fn draining(&self) {
        match self {
            Self::Nobody => {}
            Self::ServiceManager(manager) => manager.stopping("draining"),
            Self::Supervisor(link) => link.send(&Report::Draining),
        }
    }

    /// Asks the supervisor for an upgrade.
    pub(super) fn upgrade(&self) {
        if let Self::Supervisor(link) = self {
            link.send(&Report::Upgrade);
        }
    }
}
