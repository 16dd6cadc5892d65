//! Descriptors that this process was started with: by its supervisor, or by a service manager
//! (sd_listen_fds(3)).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::{env, io, process};

use socket2::{SockRef, Type};

use crate::config::{ControlTarget, ListenPlace, Options};
use crate::reactor::take_inherited;
use crate::supervise::state::Handed;

/// Variable with what a supervisor hands to a worker.
pub(super) const OF_WORKER: &str = "TIDEGATE_WORKER";
/// Variable with what a supervisor hands to the binary that takes its place.
pub(super) const OF_SUPERVISOR: &str = "TIDEGATE_SUPERVISOR";
/// Variables of a service manager, which are about the process that it has started alone.
pub(super) const OF_MANAGER: &[&str] = &["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/// First descriptor of a service manager.
const FIRST: i32 = 3;
/// Most descriptors of a service manager.
const MOST: i32 = 4096;

/// Part of this process in a supervised proxy.
pub(super) enum Part {
    /// The process that the operator has started.
    First,
    /// A worker.
    Worker(Handed),
    /// A supervisor that continues with the workers of the binary before.
    Successor(Handed),
}

/// Returns the part of this process.
///
/// # Errors
/// A message if what the supervisor hands over is malformed.
pub(super) fn part() -> Result<Part, String> {
    let read = |name: &str| -> Result<Option<Handed>, String> {
        let Some(text) = env::var_os(name) else { return Ok(None) };
        let handed = text.to_string_lossy().parse();
        let wrong = |why| format!("the variable {name} of a supervisor: {why}; unset it");
        handed.map(Some).map_err(wrong)
    };
    match (read(OF_WORKER)?, read(OF_SUPERVISOR)?) {
        (Some(handed), _) if handed.worker.is_some() => Ok(Part::Worker(handed)),
        (_, Some(handed)) => Ok(Part::Successor(handed)),
        _ => Ok(Part::First),
    }
}

/// Key of the descriptor for a listener for clients.
pub(super) fn listener_key(place: &ListenPlace) -> String {
    place.to_string()
}

/// Key of the descriptor for the listener for metrics.
pub(super) fn metrics_key(address: SocketAddr) -> String {
    format!("metrics {address}")
}

/// Key of the descriptor for the control socket.
pub(super) fn control_key(path: &Path) -> String {
    format!("control {}", path.display())
}

/// Key of the descriptor that locks the folder of certificates.
pub(super) fn acme_key(folder: &Path) -> String {
    format!("acme-dir {}", folder.display())
}

/// Inherited descriptors by key, until they are taken.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<(String, OwnedFd)>);

impl Inherited {
    /// Takes what a supervisor has handed to this worker.
    ///
    /// # Errors
    /// As [`take_inherited`].
    pub(super) fn from_supervisor(handed: &Handed) -> io::Result<Self> {
        let take = |socket: &crate::supervise::state::Socket| {
            Ok((socket.key.clone(), take_inherited(socket.descriptor)?))
        };
        handed.sockets.iter().map(take).collect::<io::Result<_>>().map(Self)
    }

    /// Takes the sockets of the service manager, if there are any, for the places at which the `options`
    /// listen.
    ///
    /// # Errors
    /// A message about a socket that is of the wrong type, or at a place where nothing listens.
    pub(super) fn from_service_manager(options: &Options) -> Result<Self, String> {
        let number = |name: &str| env::var(name).ok()?.parse::<i32>().ok();
        let is_addressed = number("LISTEN_PID").map(i32::cast_unsigned) == Some(process::id());
        let count = number("LISTEN_FDS").filter(|_| is_addressed).unwrap_or(0);
        if !(0..=MOST).contains(&count) {
            return Err(format!(
                "LISTEN_FDS is {count}: the service manager passes {MOST} at most"
            ));
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').chain(std::iter::repeat(""));
        let places = places(options);
        let sockets = (FIRST..FIRST + count).zip(names).map(|(descriptor, name)| {
            let what = match name {
                "" | "unknown" => format!("descriptor {descriptor}"),
                name => format!("descriptor {descriptor} ('{name}')"),
            };
            let socket = take_inherited(descriptor)
                .map_err(|error| format!("{what} of the service manager: {error}"))?;
            let key = key_of(&socket, &places)
                .map_err(|why| format!("{what} of the service manager {why}"))?;
            Ok((key, socket))
        });
        sockets.collect::<Result<_, String>>().map(Self)
    }

    /// Takes the descriptor with this key.
    pub(super) fn take(&mut self, key: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(own, _)| own == key)?;
        Some(self.0.remove(at).1)
    }

    /// Returns the descriptors.
    pub(super) fn into_all(self) -> Vec<(String, OwnedFd)> {
        self.0
    }
}

/// Place at which a socket of a service manager may listen.
enum Place {
    Address(SocketAddr),
    Local(std::path::PathBuf),
}

/// Returns the places at which the `options` listen, each with the key of its descriptor.
fn places(options: &Options) -> Vec<(Place, String)> {
    let listeners = options.listeners().into_iter().map(|listener| {
        let key = listener_key(&listener.place);
        match listener.place {
            ListenPlace::Address(address) => (Place::Address(address), key),
            ListenPlace::Local(path, _) => (Place::Local(path), key),
        }
    });
    let metrics = options.admin.map(|address| (Place::Address(address), metrics_key(address)));
    let control = match &options.control {
        ControlTarget::At(path) => Some((Place::Local(path.clone()), control_key(path))),
        ControlTarget::Default | ControlTarget::Off => None,
    };
    listeners.chain(metrics).chain(control).collect()
}

/// Returns the key of the place at which a socket listens, or why there is none.
fn key_of(socket: &OwnedFd, places: &[(Place, String)]) -> Result<String, String> {
    let socket = SockRef::from(socket);
    let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    if !is_stream || !socket.is_listener().unwrap_or(false) {
        return Err("is not a stream socket that listens; use ListenStream= and Accept=no in the \
                    socket unit"
            .to_owned());
    }
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    let (ip, path) = (address.as_socket(), address.as_pathname());
    let ip = ip.map(|at| SocketAddr::new(at.ip().to_canonical(), at.port()));
    let is_there = |place: &Place| match place {
        Place::Address(own) => ip == Some(*own),
        Place::Local(own) => path == Some(own),
    };
    let found = places.iter().find(|(place, _)| is_there(place));
    found.map(|(_, key)| key.clone()).ok_or_else(|| {
        let at = match (ip, path) {
            (Some(ip), _) => ip.to_string(),
            (None, Some(path)) => format!("unix:{}", path.display()),
            (None, None) => "an address without a name".to_owned(),
        };
        format!(
            "listens at {at}, where this configuration has no listener; add one (--listen, \
             [[listener]], --admin or --control), or remove the ListenStream= from the socket unit"
        )
    })
}
