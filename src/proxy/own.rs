//! What the proxy knows of the machine it runs on.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::access;

use super::surroundings::Interfaces;

/// For how long interfaces count as what they were. They seldom change; reading them takes some
/// system calls, which not every dial is worth.
const FRESH: Duration = Duration::from_secs(3);

/// Addresses of this machine, read when they are needed, and listeners of this proxy.
#[derive(Debug)]
pub(super) struct Own {
    interfaces: Box<dyn Interfaces>,
    /// When they were read, or it was tried.
    read: Option<Instant>,
    known: access::Own,
    failed: Option<io::ErrorKind>,
}

impl Own {
    pub(super) fn new(interfaces: Box<dyn Interfaces>) -> Self {
        Self { interfaces, read: None, known: access::Own::default(), failed: None }
    }

    /// The proxy listens on `address`, too.
    pub(super) fn add_listener(&mut self, address: SocketAddr) {
        self.known.listeners.push(address);
    }

    /// Where the proxy listens.
    pub(super) fn listeners(&self) -> &[SocketAddr] {
        &self.known.listeners
    }

    /// What is known now. If interfaces cannot be read any more, they count as they were.
    ///
    /// # Errors
    /// If they could never be read: any address might be one of them.
    pub(super) fn now(&mut self, now: Instant) -> io::Result<&access::Own> {
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= FRESH) {
            self.read = Some(now);
            match self.interfaces.addresses() {
                Ok(addresses) => (self.known.addresses, self.failed) = (addresses, None),
                Err(error) if self.known.addresses.is_empty() => self.failed = Some(error.kind()),
                Err(_) => {}
            }
        }
        match self.failed {
            Some(kind) => Err(kind.into()),
            None => Ok(&self.known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, VirtualClock};
    use std::collections::VecDeque;
    use std::net::IpAddr;

    #[derive(Debug)]
    struct Script(VecDeque<Option<&'static str>>);

    impl Interfaces for Script {
        fn addresses(&mut self) -> io::Result<Vec<IpAddr>> {
            let next = self.0.pop_front().expect("it is not asked so often");
            next.map(|text| vec![text.parse().unwrap()]).ok_or(io::ErrorKind::Other.into())
        }
    }

    #[test]
    fn interfaces_are_read_once_in_a_while_and_count_until_others_are_read() {
        let script = [None, Some("10.0.0.1"), None, Some("10.0.0.2")];
        let mut own = Own::new(Box::new(Script(script.into())));
        let clock = VirtualClock::default();
        let mut read = || {
            let now = clock.now().mono;
            own.now(now).map(|known| known.addresses[0].to_string()).map_err(|error| error.kind())
        };
        assert_eq!(read(), Err(io::ErrorKind::Other));
        assert_eq!(read(), Err(io::ErrorKind::Other), "not tried again at once");
        for expected in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
            clock.advance(FRESH);
            assert_eq!(read().unwrap(), expected);
            assert_eq!(read().unwrap(), expected);
        }
    }
}
