//! Messages of other threads and the embedder to a proxy.

use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use crate::auth::VerifyResult;
use crate::proxy::jobs::JobDone;
use crate::proxy::settings::Settings;

/// A message of another thread or the embedder to a proxy.
#[derive(Debug)]
pub enum Mail {
    /// The answer to a name lookup.
    Resolved(String, io::Result<Vec<IpAddr>>),
    /// The result of verifying a password.
    Verified(VerifyResult),
    /// The result of a job.
    Job(Box<JobDone>),
    /// All addresses of this machine, after a change.
    Addresses(Vec<IpAddr>),
    /// A command.
    Command(Command),
    /// A message for the embedder, which takes it before the proxy.
    Program(Box<dyn Any + Send>),
}

/// A command to a running proxy.
#[derive(Debug)]
pub enum Command {
    /// Accept no new clients, finish exchanges in flight, then stop.
    Drain,
    /// Leave the sockets of operators, and files that only one process may write, to another process; then
    /// drain.
    HandOver,
    /// Stop at once.
    Stop,
    /// Apply new settings.
    Reload(Arc<Settings>),
    /// Reopen the access log.
    Reopen,
}
