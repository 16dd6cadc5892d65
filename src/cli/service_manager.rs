//! Notifications to the service manager, such as systemd (sd_notify(3)).

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, io, process};

use rustix::time::{ClockId, clock_gettime};

/// Variables with which a service manager asks for notifications.
pub(super) const VARIABLES: &[&str] = &["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The service manager. Notifications are sent without waiting; one that cannot be sent is lost.
#[derive(Debug)]
pub(super) struct ServiceManager {
    socket: UnixDatagram,
    /// Longest time between two signs of life, if it watches this process.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Connects to the service manager that has started this process; `None` if none has asked for
    /// notifications. Rights that are dropped afterwards, and the sandbox, do not cut the connection.
    ///
    /// # Errors
    /// A message if the socket of the service manager cannot be reached.
    pub(super) fn connect() -> Result<Option<Self>, String> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let connect = || -> io::Result<UnixDatagram> {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address(&name)?)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = connect().map_err(|error| {
            format!("NOTIFY_SOCKET {}: {error}; unset it", name.to_string_lossy())
        })?;
        Ok(Some(Self { socket, watchdog: watchdog() }))
    }

    /// Returns the time between two signs of life: half of that after which the service manager acts.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|longest| longest / 2)
    }

    /// Says that the proxy serves.
    pub(super) fn ready(&self, status: &str) {
        let pid = process::id();
        self.send(&format!("READY=1\nMAINPID={pid}\nSTATUS={}", one_line(status)));
    }

    /// Says that the configuration is read again; [`ready`](Self::ready) says that this has ended.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"));
    }

    /// Says how the proxy is.
    pub(super) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    /// Says that the proxy drains, and ends then.
    pub(super) fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// Gives a sign of life, if the service manager watches this process.
    pub(super) fn beat(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, text: &str) {
        let _ = self.socket.send(text.as_bytes()); // there is nowhere to report an error
    }
}

/// Returns the address of a socket: a path, or a name behind `@` in the abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

/// Returns the time after which the service manager takes this process for dead.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let is_addressed = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    let micros = number("WATCHDOG_USEC").filter(|&micros| micros > 0 && is_addressed)?;
    Some(Duration::from_micros(micros))
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_manager_is_reached_by_path_and_by_abstract_name() {
        assert!(address(OsStr::new("@tidegate/test")).unwrap().as_abstract_name().is_some());
        let path = address(OsStr::new("/run/notify")).unwrap();
        assert_eq!(path.as_pathname().unwrap(), std::path::Path::new("/run/notify"));
    }
}
