//! Addresses of this machine's interfaces, read regularly on a thread: the kernel may take its
//! time, and a machine may have many.

use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::mailbox::Mailbox;
use super::os::interface_addresses;

/// A thread that tells a reactor when the addresses of this machine have changed, until this value
/// is dropped.
#[derive(Debug)]
pub struct InterfaceWatch {
    /// Never sent to; dropping it ends the thread.
    _ended: Sender<()>,
}

impl InterfaceWatch {
    /// Starts a thread that reads the addresses every `interval`. Whenever they differ from the
    /// last ones (`known` at first), the thread sends the new ones to `mailbox` as the mail that
    /// `wrap` makes of them. A failed reading counts as no change.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub fn start<M: Send + 'static>(
        known: Vec<IpAddr>,
        interval: Duration,
        mailbox: Mailbox<M>,
        wrap: fn(Vec<IpAddr>) -> M,
    ) -> io::Result<Self> {
        let (sender, ended) = channel();
        let tell = move |addresses| mailbox.send_when_room(wrap(addresses)).is_ok();
        thread::Builder::new()
            .name("interfaces".into())
            .spawn(move || watch(known, interval, &ended, interface_addresses, tell))?;
        Ok(Self { _ended: sender })
    }
}

/// Reads until `ended` is closed, or until `tell` returns false because the reactor is gone.
fn watch(
    mut known: Vec<IpAddr>,
    interval: Duration,
    ended: &Receiver<()>,
    mut read: impl FnMut() -> io::Result<Vec<IpAddr>>,
    mut tell: impl FnMut(Vec<IpAddr>) -> bool,
) {
    while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let Ok(addresses) = read() else { continue };
        if addresses != known {
            known.clone_from(&addresses);
            if !tell(addresses) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Returns the addresses that were sent when the readings are those of `script`.
    fn told(script: &[Result<&str, ()>]) -> Vec<String> {
        let (sender, ended) = channel();
        let (mut sender, mut script) = (Some(sender), VecDeque::from(script.to_vec()));
        let mut told = Vec::new();
        let read = || match script.pop_front() {
            Some(Ok(text)) => Ok(vec![text.parse().unwrap()]),
            Some(Err(())) => Err(io::ErrorKind::Other.into()),
            None => {
                sender.take();
                Err(io::ErrorKind::Other.into())
            }
        };
        watch(vec!["10.0.0.1".parse().unwrap()], Duration::ZERO, &ended, read, |addresses| {
            told.push(addresses[0].to_string());
            true
        });
        told
    }

    #[test]
    fn changed_addresses_are_sent_once() {
        let script = [Ok("10.0.0.1"), Ok("10.0.0.2"), Ok("10.0.0.2"), Ok("10.0.0.1")];
        assert_eq!(told(&script), ["10.0.0.2", "10.0.0.1"]);
    }

    #[test]
    fn failed_reading_counts_as_no_change() {
        assert_eq!(told(&[Err(()), Ok("10.0.0.1"), Err(()), Ok("10.0.0.2")]), ["10.0.0.2"]);
    }

    #[test]
    fn watch_ends_with_its_reactor() {
        let (_sender, ended) = channel();
        let read = || Ok(Vec::new());
        watch(vec!["10.0.0.1".parse().unwrap()], Duration::ZERO, &ended, read, |_| false);
    }
}
