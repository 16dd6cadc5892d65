//! A worker process, as the supervisor sees it.

use std::time::{Duration, Instant};

/// Time in which a worker that starts has to be ready. Shorter than the time for which an operator waits
/// for the answer to an upgrade.
pub(super) const START: Duration = Duration::from_secs(45);
/// Time between SIGABRT and SIGKILL for a worker that hangs.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The worker starts.
    Starting,
    /// The worker serves.
    Active,
    /// The worker accepts no new connections.
    Draining,
}

/// A worker process.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) role: Role,
    /// Time since which the worker has its role.
    pub(super) since: Instant,
    /// Time of the last sign of life.
    pub(super) heard: Instant,
    /// Time at which SIGABRT was sent.
    pub(super) aborted: Option<Instant>,
    /// Reason that the worker has given for its end.
    pub(super) reason: Option<String>,
}

impl Worker {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        Self { role, since: now, heard: now, aborted: None, reason: None }
    }

    /// Returns the time at which the worker is aborted, or killed. A worker gives signs of life from the time
    /// at which it is ready, with at most `heartbeat` between two.
    pub(super) fn deadline(&self, heartbeat: Duration) -> Instant {
        match (self.aborted, self.role) {
            (Some(at), _) => at + GRACE,
            (None, Role::Starting) => self.since + START,
            (None, Role::Active | Role::Draining) => self.heard + heartbeat,
        }
    }
}
