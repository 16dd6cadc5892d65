//! The sockets by which a running proxy is operated.

use std::io;
use std::path::PathBuf;

use crate::cli::control_socket;
use crate::cli::control_socket::DEFAULT_PORT;
use crate::config::{ControlTarget, Options};
use crate::proxy::{Mail, Worker};
use crate::reactor::Reactor;

use super::listening::{Listening, endpoint};

/// Sockets that were opened for operators.
pub(super) struct Operating {
    /// The control socket, if there is one.
    pub(super) control: Option<PathBuf>,
    /// The folder that was made for it.
    pub(super) folder: Option<PathBuf>,
    /// The command that has this proxy explain something, if it takes commands.
    pub(super) explain: Option<String>,
    /// Lines for the banner.
    pub(super) lines: Vec<String>,
}

impl Operating {
    /// Opens the control socket of a proxy whose first port is `port`, and the address for figures.
    ///
    /// # Errors
    /// If one that was asked for cannot be opened. The default socket is nothing that was asked for:
    /// without it, the proxy runs as well, and says why.
    pub(super) fn open(
        worker: &mut Worker,
        reactor: &mut Reactor<Mail>,
        options: &Options,
        port: u16,
    ) -> io::Result<Self> {
        let mut opened = Self { control: None, folder: None, explain: None, lines: Vec::new() };
        match &options.control {
            ControlTarget::Off => opened.lines.push("  control  off".to_owned()),
            ControlTarget::At(path) => {
                let command = format!("tidegate explain --live --control {}", path.display());
                opened.take_commands(worker, reactor, path.clone(), command)?;
            }
            ControlTarget::Default => {
                let named =
                    if port == DEFAULT_PORT { String::new() } else { format!(" --port {port}") };
                let command = format!("tidegate explain --live{named}");
                let socket = control_socket::for_proxy(port);
                let taken = socket.and_then(|(path, made)| {
                    opened.folder = path.parent().filter(|_| made).map(PathBuf::from);
                    opened.take_commands(worker, reactor, path, command)
                });
                if let Err(error) = taken {
                    opened.lines.push(format!("  control  off: {error} (--control PATH)"));
                }
            }
        }
        if let Some(address) = options.admin {
            let endpoint = endpoint(address, &options.listeners());
            let served = worker.listen_metrics(reactor, endpoint);
            let error = |error| io::Error::other(format!("cannot listen on {address}: {error}"));
            let served = Listening::at(endpoint, served.map_err(error)?);
            let reached = served.reached();
            opened.lines.push(format!("  metrics  http://{}/metrics{reached}", served.address));
        }
        Ok(opened)
    }

    fn take_commands(
        &mut self,
        worker: &mut Worker,
        reactor: &mut Reactor<Mail>,
        path: PathBuf,
        command: String,
    ) -> io::Result<()> {
        worker.listen_control(reactor, &path).map_err(|error| {
            io::Error::other(format!("cannot take commands at {}: {error}", path.display()))
        })?;
        self.lines.push(format!("  control  {}", path.display()));
        worker.offer_explanations(command.clone());
        self.explain = Some(command);
        self.control = Some(path);
        Ok(())
    }
}
