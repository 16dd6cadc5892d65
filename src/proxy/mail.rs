//! Mail of a reactor that runs a proxy, and commands of the program around it.

use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use crate::auth::VerifyResult;
use crate::proxy::settings::Settings;

/// What other threads, and the program around the proxy, tell it.
#[derive(Debug)]
pub enum Mail {
    /// The answer to a question about a name.
    Resolved(String, io::Result<Vec<IpAddr>>),
    /// What came of verifying a password.
    Verified(VerifyResult),
    /// The addresses of this machine have changed; these are all of them.
    Addresses(Vec<IpAddr>),
    /// Something to do.
    Command(Command),
    /// Something for the program around the proxy, which takes it before the proxy does.
    Program(Box<dyn Any + Send>),
}

/// What a proxy can be told while it runs.
#[derive(Debug)]
pub enum Command {
    /// Take no new clients, finish what is in flight, then stop.
    Drain,
    /// Stop at once.
    Stop,
    /// Go on with other settings.
    Reload(Arc<Settings>),
    /// Open the access log anew.
    Reopen,
}
