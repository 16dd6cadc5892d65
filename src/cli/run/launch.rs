//! Origin of a process that serves: an operator, a service manager, or a supervisor.

use std::sync::Arc;

use crate::cli::handed::Inherited;
use crate::config::Options;
use crate::supervise::state::Handed;

use super::overseer::Overseer;
use super::supervisor_link::SupervisorLink;

/// Surroundings with which a process that serves was started.
#[derive(Debug)]
pub(in crate::cli) struct Launch {
    /// Descriptors that are open already.
    pub(super) inherited: Inherited,
    /// The process that watches this one.
    pub(super) overseer: Arc<Overseer>,
}

impl Launch {
    /// Returns the launch of a process without a supervisor.
    ///
    /// # Errors
    /// A message about a descriptor or variable of the service manager.
    pub(in crate::cli) fn alone(options: &Options) -> Result<Self, String> {
        let inherited = Inherited::from_service_manager(options)?;
        Ok(Self { inherited, overseer: Arc::new(Overseer::of_process()?) })
    }

    /// Returns the launch of a worker.
    ///
    /// # Errors
    /// A message if a descriptor of the supervisor is missing.
    pub(in crate::cli) fn of_worker(handed: &Handed) -> Result<Self, String> {
        let missing = |error| format!("a descriptor of the supervisor is missing: {error}");
        let inherited = Inherited::from_supervisor(handed).map_err(missing)?;
        let link = handed.worker.map(SupervisorLink::take).transpose().map_err(missing)?;
        let overseer = Arc::new(link.map_or(Overseer::Nobody, Overseer::Supervisor));
        Ok(Self { inherited, overseer })
    }
}
