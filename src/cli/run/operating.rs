//! Control socket and metrics listener of a running proxy.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::control_socket;
use crate::cli::control_socket::DEFAULT_PORT;
use crate::cli::handed::{Inherited, control_key, metrics_key};
use crate::config::{ControlTarget, Options};
use crate::proxy::{ListenerSettings, Mail, Worker};
use crate::reactor::Reactor;

use super::listening::{Listening, endpoint};

/// Sockets opened for operators.
pub(super) struct Operating {
    /// Path of the control socket, if there is one.
    pub(super) control: Option<PathBuf>,
    /// Folder that was created for the control socket.
    pub(super) folder: Option<PathBuf>,
    /// Command for explanations by this proxy, if the proxy accepts commands.
    pub(super) explain: Option<String>,
    /// Lines for the banner.
    pub(super) lines: Vec<String>,
}

impl Operating {
    /// Opens the control socket and the metrics listener of a proxy whose first port is `port`, as far as
    /// they are not inherited.
    ///
    /// # Errors
    /// Fails if a configured socket cannot be opened. Without the default control socket the proxy
    /// runs nevertheless, and the banner says why.
    pub(super) fn open(
        worker: &mut Worker,
        reactor: &mut Reactor<Mail>,
        (options, port): (&Options, u16),
        inherited: &mut Inherited,
    ) -> io::Result<Self> {
        let mut opened = Self { control: None, folder: None, explain: None, lines: Vec::new() };
        match &options.control {
            ControlTarget::Off => opened.lines.push("  control  off".to_owned()),
            ControlTarget::At(path) => {
                let command = format!("tidegate explain --live --control {}", path.display());
                opened.take_commands(worker, reactor, (path.clone(), command), inherited)?;
            }
            ControlTarget::Default => {
                let named =
                    if port == DEFAULT_PORT { String::new() } else { format!(" --port {port}") };
                let command = format!("tidegate explain --live{named}");
                let socket = control_socket::for_proxy(port);
                let taken = socket.and_then(|(path, made)| {
                    opened.folder = path.parent().filter(|_| made).map(PathBuf::from);
                    opened.take_commands(worker, reactor, (path, command), inherited)
                });
                if let Err(error) = taken {
                    opened.lines.push(format!("  control  off: {error} (--control PATH)"));
                }
            }
        }
        if let Some(address) = options.admin {
            let endpoint = endpoint(address, &options.addresses());
            let served = match inherited.take(&metrics_key(address)) {
                Some(socket) => worker.metrics_on(reactor, socket.into()),
                None => worker.listen_metrics(reactor, endpoint),
            };
            let error = |error| io::Error::other(format!("cannot listen on {address}: {error}"));
            let served =
                Listening::at(endpoint, served.map_err(error)?, ListenerSettings::default());
            let reached = served.reached();
            opened.lines.push(format!("  metrics  http://{}/metrics{reached}", served.place));
        }
        Ok(opened)
    }

    fn take_commands(
        &mut self,
        worker: &mut Worker,
        reactor: &mut Reactor<Mail>,
        (path, command): (PathBuf, String),
        inherited: &mut Inherited,
    ) -> io::Result<()> {
        let taken = match inherited.take(&control_key(&path)) {
            Some(socket) => worker.control_on(reactor, socket.into()),
            None => worker.listen_control(reactor, &path),
        };
        taken.map_err(|error| not_opened(&path, &error))?;
        self.lines.push(format!("  control  {}", path.display()));
        worker.offer_explanations(command.clone());
        self.explain = Some(command);
        self.control = Some(path);
        Ok(())
    }
}

/// Returns an error about the control socket at `path`.
pub(in crate::cli) fn not_opened(path: &Path, error: &io::Error) -> io::Error {
    let taken = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; end the process that listens there, or give another --control"
        }
        _ => "",
    };
    let path = path.display();
    io::Error::other(format!("cannot open the control socket {path}: {error}{taken}"))
}
