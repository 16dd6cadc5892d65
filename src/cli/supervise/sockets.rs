//! Listening sockets, and the lock of the folder of certificates, that all workers share.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use socket2::SockRef;

use crate::cli::control_socket;
use crate::cli::handed::{Inherited, acme_key, control_key, listener_key, metrics_key};
use crate::cli::run::acme_store::reserve;
use crate::cli::run::identity::Identity;
use crate::cli::run::listening::endpoint;
use crate::cli::run::operating::not_opened;
use crate::config::{ControlTarget, ListenPlace, Options};
use crate::reactor::{LocalFile, LocalOptions, open_listener, open_local, take_inherited};
use crate::supervise::state::{FileId, Handed, Socket};

/// A descriptor, by the configured place that it is for.
#[derive(Debug)]
struct Held {
    key: String,
    /// `None` once the supervisor has closed its own.
    descriptor: Option<OwnedFd>,
    /// File that is removed with the socket.
    file: Option<LocalFile>,
    /// True if the file was removed while another binary was the supervisor.
    is_lost: bool,
    /// True if it was opened for a worker that is not ready yet.
    is_new: bool,
    /// True if the worker that was started last uses it.
    is_wanted: bool,
}

/// The descriptors.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<Held>);

impl Sockets {
    /// Returns the sockets of the service manager.
    pub(super) fn of(inherited: Inherited) -> Self {
        let held = inherited.into_all().into_iter().map(|(key, descriptor)| Held {
            key,
            descriptor: Some(descriptor),
            file: None,
            is_lost: false,
            is_new: false,
            is_wanted: true,
        });
        Self(held.collect())
    }

    /// Returns the descriptors of the binary that this process was before.
    ///
    /// # Errors
    /// As [`take_inherited`].
    pub(super) fn resumed(handed: &Handed) -> io::Result<Self> {
        let held = handed.sockets.iter().map(|socket| {
            let find =
                |id: &FileId| LocalFile::find(&id.path, (id.device, id.inode)).ok().flatten();
            let file = socket.file.as_ref().and_then(find);
            Ok(Held {
                key: socket.key.clone(),
                descriptor: Some(take_inherited(socket.descriptor)?),
                is_lost: socket.file.is_some() && file.is_none(),
                file,
                is_new: false,
                is_wanted: true,
            })
        });
        held.collect::<io::Result<_>>().map(Self)
    }

    /// Opens what a worker with these options needs, beside what is open already.
    ///
    /// # Errors
    /// A message about a socket that cannot be opened. What was open stays open, and nothing else.
    pub(super) fn fit(&mut self, options: &Options) -> Result<(), String> {
        self.0.iter_mut().for_each(|held| held.is_wanted = false);
        let opened = self.open_all(options);
        if opened.is_err() {
            self.discard_new();
        }
        opened.map_err(|error| error.to_string())
    }

    fn open_all(&mut self, options: &Options) -> io::Result<()> {
        let (addresses, mut first) = (options.addresses(), None);
        for listener in options.listeners() {
            let place = &listener.place;
            let open = || match place {
                ListenPlace::Address(address) => tcp(*address, &addresses),
                ListenPlace::Local(path, mode) => local(path, *mode, LocalOptions::default()),
            };
            let failed = |error| io::Error::other(format!("cannot listen on {place}: {error}"));
            let port = self.want(listener_key(place), open).map_err(failed)?;
            first = first.or(port);
        }
        if let Some(address) = options.admin {
            let failed = |error| io::Error::other(format!("cannot listen on {address}: {error}"));
            self.want(metrics_key(address), || tcp(address, &addresses)).map_err(failed)?;
        }
        if let Some(folder) = &options.acme.folder
            && !options.acme.certificates.is_empty()
        {
            self.want(acme_key(folder), || Ok((reserve(folder)?.into(), None)))?;
        }
        self.open_control(options, first.unwrap_or(0))
    }

    /// Opens the control socket. Without the default one, the worker says why.
    fn open_control(&mut self, options: &Options, port: u16) -> io::Result<()> {
        let open = |path: &Path| {
            let mode = LocalOptions::CONTROL.mode;
            local(path, mode, LocalOptions::CONTROL).map_err(|error| not_opened(path, &error))
        };
        match &options.control {
            ControlTarget::Off => {}
            ControlTarget::At(path) => {
                self.want(control_key(path), || open(path))?;
            }
            ControlTarget::Default => {
                let Ok((path, made)) = control_socket::for_proxy(port) else { return Ok(()) };
                if made
                    && let (Ok(Some(user)), Some(folder)) = (Identity::of(options), path.parent())
                {
                    user.own_at(folder)?;
                }
                let _ = self.want(control_key(&path), || open(&path));
            }
        }
        Ok(())
    }

    /// Marks the descriptor with this key as wanted, and opens it if it is not open. Returns its port, if
    /// it has one.
    fn want(
        &mut self,
        key: String,
        open: impl FnOnce() -> io::Result<Opened>,
    ) -> io::Result<Option<u16>> {
        let port = |descriptor: &OwnedFd| {
            let address = SockRef::from(descriptor).local_addr().ok()?.as_socket()?;
            Some(address.port())
        };
        let is_it = |held: &&mut Held| held.key == key && !held.is_wanted && held.is_reachable();
        if let Some(held) = self.0.iter_mut().find(is_it) {
            held.is_wanted = true;
            return Ok(held.descriptor.as_ref().and_then(port));
        }
        let (descriptor, file) = open()?;
        let opened = port(&descriptor);
        let descriptor = Some(descriptor);
        let held = Held { key, descriptor, file, is_lost: false, is_new: true, is_wanted: true };
        self.0.push(held);
        Ok(opened)
    }

    /// Keeps what the worker that was started last uses, and closes the rest.
    pub(super) fn keep_wanted(&mut self) {
        self.0.retain(|held| held.is_wanted);
        self.0.iter_mut().for_each(|held| held.is_new = false);
    }

    /// Closes what was opened for a worker that has not become ready.
    pub(super) fn discard_new(&mut self) {
        self.0.retain(|held| !held.is_new);
    }

    /// Closes all descriptors, so that nothing connects once the workers have closed theirs. The files of
    /// sockets stay until the end.
    pub(super) fn close(&mut self) {
        self.0.iter_mut().for_each(|held| held.descriptor = None);
    }

    /// Returns the descriptors that the worker which is started next inherits.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let wanted = self.0.iter().filter(|held| held.is_wanted);
        wanted.filter_map(|held| held.descriptor.as_ref().map(AsFd::as_fd))
    }

    /// Returns what is handed to a worker: the files are the supervisor's.
    pub(super) fn of_worker(&self) -> Vec<Socket> {
        let wanted = self.0.iter().filter(|held| held.is_wanted);
        wanted.filter_map(|held| held.handed(None)).collect()
    }

    /// Returns what is handed to the binary that takes the place of this one.
    pub(super) fn of_successor(&self) -> Vec<Socket> {
        let id = |file: &LocalFile| {
            let (device, inode) = file.identity();
            FileId { path: file.path().to_owned(), device, inode }
        };
        self.0.iter().filter_map(|held| held.handed(held.file.as_ref().map(id))).collect()
    }
}

impl Held {
    /// Returns true unless the file of a socket in the file system was removed: no client finds it then.
    fn is_reachable(&self) -> bool {
        !self.is_lost && self.file.as_ref().is_none_or(LocalFile::is_there)
    }

    fn handed(&self, file: Option<FileId>) -> Option<Socket> {
        let descriptor = self.descriptor.as_ref()?.as_raw_fd();
        Some(Socket { descriptor, key: self.key.clone(), file })
    }
}

/// A descriptor, and the file that is removed with it.
type Opened = (OwnedFd, Option<LocalFile>);

fn tcp(address: SocketAddr, all: &[SocketAddr]) -> io::Result<Opened> {
    let listener: TcpListener = open_listener(endpoint(address, all))?;
    Ok((listener.into(), None))
}

fn local(path: &Path, mode: u32, options: LocalOptions) -> io::Result<Opened> {
    let (listener, file) = open_local(path, LocalOptions { mode, ..options })?;
    Ok((listener.into(), Some(file)))
}
