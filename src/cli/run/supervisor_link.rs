//! The worker's end of the socket to its supervisor.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::proxy::Mail;
use crate::reactor::{Mailbox, take_inherited};
use crate::supervise::link::{Lines, Order, Report};

/// Message of the supervisor to its worker, or its end.
#[derive(Debug)]
pub(super) enum FromSupervisor {
    /// An order.
    Order(Order),
    /// The supervisor has ended.
    Gone,
}

/// A socket to the supervisor.
#[derive(Debug)]
pub(in crate::cli) struct SupervisorLink {
    number: u32,
    interval: Duration,
    socket: OwnedFd,
}

impl SupervisorLink {
    /// Returns the link of the worker with this number, on an inherited descriptor.
    ///
    /// # Errors
    /// As [`take_inherited`].
    pub(in crate::cli) fn take(
        (number, descriptor, interval): (u32, i32, Duration),
    ) -> io::Result<Self> {
        Ok(Self { number, interval, socket: take_inherited(descriptor)? })
    }

    /// Returns the number of this worker.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Returns the time between two signs of life.
    pub(super) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Sends a report without waiting. A report is lost if the supervisor does not read, or has ended.
    pub(super) fn send(&self, report: &Report) {
        let line = format!("{report}\n");
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let _ = SockRef::from(&self.socket).send_with_flags(line.as_bytes(), flags);
    }

    /// Starts a thread that delivers orders to `mailbox`.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub(super) fn listen(&self, mailbox: Mailbox<Mail>) -> io::Result<()> {
        let socket = UnixStream::from(self.socket.try_clone()?);
        thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || deliver(socket, &mailbox))?;
        Ok(())
    }
}

/// Delivers orders until the supervisor or the reactor is gone.
fn deliver(mut socket: UnixStream, mailbox: &Mailbox<Mail>) {
    let (mut lines, mut buffer) = (Lines::default(), [0; 4096]);
    let tell = |what| mailbox.send_when_room(Mail::Program(Box::new(what))).is_ok();
    loop {
        match socket.read(&mut buffer) {
            Ok(n) if n > 0 => {
                let orders: Vec<Order> = lines.add(&buffer[..n]);
                if !orders.into_iter().map(FromSupervisor::Order).all(tell) {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                tell(FromSupervisor::Gone);
                return;
            }
        }
    }
}
