//! The addresses of the machine that the proxy runs on.

use std::net::{IpAddr, SocketAddr};

use crate::access;
use crate::proxy::error::ExchangeError;

/// The addresses of this machine, and the listeners of this proxy.
#[derive(Debug)]
pub(crate) struct InterfaceCache {
    known: access::LocalAddresses,
    /// True once the addresses were read.
    read: bool,
}

impl InterfaceCache {
    /// Creates the cache with `addresses`; `None` if they cannot be read.
    pub(crate) fn new(addresses: Option<Vec<IpAddr>>) -> Self {
        let read = addresses.is_some();
        let addresses = addresses.unwrap_or_default();
        Self { known: access::LocalAddresses { addresses, listeners: Vec::new() }, read }
    }

    /// Replaces the addresses of this machine.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.known.addresses = addresses;
        self.read = true;
    }

    /// Adds the address of a listener.
    pub(crate) fn add_listener(&mut self, address: SocketAddr) {
        self.known.listeners.push(address);
    }

    /// Returns the addresses at which the proxy listens.
    pub(crate) fn listeners(&self) -> &[SocketAddr] {
        &self.known.listeners
    }

    /// Returns the addresses.
    ///
    /// # Errors
    /// Fails while the addresses of this machine have never been read: any destination might be one
    /// of them.
    pub(crate) const fn known(&self) -> Result<&access::LocalAddresses, ExchangeError> {
        if self.read { Ok(&self.known) } else { Err(ExchangeError::Overloaded) }
    }
}
