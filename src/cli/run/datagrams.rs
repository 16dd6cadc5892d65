//! Lines for daemons at sockets, which mostly take datagrams: syslog and the journal.

use std::io::{self, Write};
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::system::uname;

use crate::config::SyslogPlace;
use crate::reactor::{Clock, SystemClock};
use crate::shipping::{Facility, Syslog, entry};

use super::unwritten::Unwritten;

/// Time between the first attempts to reach a daemon. It doubles with each failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest wait for room in the queue of a daemon, in which the thread does nothing else.
const ROOM: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The same for a stream.
const STREAM_ROOM: Duration = Duration::from_secs(1);

/// A daemon, with the socket that is connected to it.
#[derive(Debug)]
pub(super) struct Datagrams {
    place: SyslogPlace,
    protocol: Protocol,
    socket: Option<Socket>,
    /// Failures since the last line that was sent.
    failures: u32,
    notice: Option<String>,
    cut: u64,
    dropped: u64,
}

#[derive(Debug)]
enum Protocol {
    Syslog(Syslog),
    Journal,
}

#[derive(Debug)]
enum Socket {
    Local(UnixDatagram),
    /// A stream of messages, each with a line end. A message that was cut off is sent on a new connection.
    Stream(UnixStream),
    Udp(UdpSocket),
}

impl Datagrams {
    /// Returns the daemon at `place`, which takes messages of syslog.
    pub(super) fn to_syslog(place: SyslogPlace, facility: Facility) -> Self {
        let names = uname();
        let host = names.nodename().to_string_lossy();
        Self::to(place, Protocol::Syslog(Syslog::new(facility, &host, process::id())))
    }

    /// Returns the journal at the socket `path`.
    pub(super) const fn to_journal(path: PathBuf) -> Self {
        Self::to(SyslogPlace::Local(path), Protocol::Journal)
    }

    const fn to(place: SyslogPlace, protocol: Protocol) -> Self {
        Self { place, protocol, socket: None, failures: 0, notice: None, cut: 0, dropped: 0 }
    }

    /// Sends a datagram for each line. Waits for the daemon at most for a second.
    ///
    /// # Errors
    /// Returns the lines from the first one that was not sent, which are to be sent later.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let mut sent = 0;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.send(line).map_err(|error| {
                let retry = Some(self.failed(&error));
                Unwritten { rest: lines.len() - sent, error, retry }
            })?;
            sent += line.len();
            if self.failures > 0 {
                self.failures = 0;
                self.notice = Some(format!("is taken by {} again", self.name()));
            }
        }
        Ok(())
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let (datagram, is_cut) = match &self.protocol {
            Protocol::Syslog(syslog) => {
                let (message, is_cut) = syslog.message(&line, SystemClock.now().since_epoch());
                (message.into_bytes(), is_cut)
            }
            Protocol::Journal => entry(&line),
        };
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::connect(&self.place)?,
        };
        match socket.send(&datagram) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => self.dropped += 1,
            result => {
                result?;
                self.cut += u64::from(is_cut);
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    /// Notes a failure. Returns the time after which to try again.
    fn failed(&mut self, error: &io::Error) -> Duration {
        if self.failures == 0 {
            let name = self.name();
            self.notice =
                Some(format!("waits for {name}: {error}; up to log-buffer of it is kept"));
        }
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        pause.min(LONGEST_PAUSE)
    }

    fn name(&self) -> String {
        match &self.place {
            SyslogPlace::Local(path) => path.display().to_string(),
            SyslogPlace::Udp(host, port) => format!("{host}:{port}"),
        }
    }

    pub(super) fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    pub(super) fn take_losses(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.cut), std::mem::take(&mut self.dropped))
    }
}

impl Socket {
    /// Connects a socket that never blocks.
    fn connect(place: &SyslogPlace) -> io::Result<Self> {
        match place {
            SyslogPlace::Local(path) => match Self::local(path) {
                Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                    let stream = UnixStream::connect(path)?;
                    stream.set_write_timeout(Some(STREAM_ROOM))?;
                    Ok(Self::Stream(stream))
                }
                socket => socket,
            },
            SyslogPlace::Udp(host, port) => {
                let host = host.trim_matches(['[', ']']);
                let address = (host, *port).to_socket_addrs()?.next();
                let address = address.ok_or(io::ErrorKind::NotFound)?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                socket.connect(address)?;
                Ok(Self::Udp(socket))
            }
        }
    }

    fn local(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Self::Local(socket))
    }

    /// Sends a datagram, and waits for room for a while.
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self.send_at_once(datagram) {
            Err(error) if matches!(self, Self::Stream(_)) => Err(error),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::OUT)], Some(&ROOM))?;
                self.send_at_once(datagram)
            }
            result => result,
        }
    }

    fn send_at_once(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Local(socket) => socket.send(datagram).map(drop),
            Self::Stream(stream) => (&*stream).write_all(&[datagram, b"\n"].concat()),
            Self::Udp(socket) => socket.send(datagram).map(drop),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Local(socket) => socket.as_fd(),
            Self::Stream(stream) => stream.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }
}
