//! The machine that the proxy runs on, as far as it is known.

use std::net::{IpAddr, SocketAddr};

use crate::access;
use crate::proxy::error::ExchangeError;

/// Addresses of this machine, and listeners of this proxy.
#[derive(Debug)]
pub(crate) struct InterfaceCache {
    known: access::LocalAddresses,
    /// True if the addresses could be read.
    read: bool,
}

impl InterfaceCache {
    /// A machine with `addresses`; none if they cannot be read.
    pub(crate) fn new(addresses: Option<Vec<IpAddr>>) -> Self {
        let read = addresses.is_some();
        let addresses = addresses.unwrap_or_default();
        Self { known: access::LocalAddresses { addresses, listeners: Vec::new() }, read }
    }

    /// Goes by other addresses of this machine.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.known.addresses = addresses;
        self.read = true;
    }

    /// Adds `address` to those at which the proxy listens.
    pub(crate) fn add_listener(&mut self, address: SocketAddr) {
        self.known.listeners.push(address);
    }

    /// The addresses at which the proxy listens.
    pub(crate) fn listeners(&self) -> &[SocketAddr] {
        &self.known.listeners
    }

    /// Returns what is known.
    ///
    /// # Errors
    /// If the addresses of this machine could never be read: any address might be one of them.
    pub(crate) const fn known(&self) -> Result<&access::LocalAddresses, ExchangeError> {
        if self.read { Ok(&self.known) } else { Err(ExchangeError::Overloaded) }
    }
}
