//! Databases of places in use, which can be replaced while the proxy runs.

use std::net::IpAddr;
use std::sync::Arc;

use crate::geo::{GeoDatabases, Located, Place};

/// Databases that the proxy looks addresses up in.
#[derive(Debug)]
pub(crate) struct Geography {
    databases: Arc<GeoDatabases>,
    /// True once the operator was told that a look-up in these databases has failed.
    is_told: bool,
}

impl Geography {
    pub(super) const fn new(databases: Arc<GeoDatabases>) -> Self {
        Self { databases, is_told: false }
    }

    /// Replaces the databases, and returns those before.
    pub(super) fn replace(&mut self, databases: Arc<GeoDatabases>) -> Arc<GeoDatabases> {
        std::mem::replace(self, Self::new(databases)).databases
    }

    /// Returns what is known of `address`, and a line for the operator if this is the first look-up in
    /// these databases that has failed.
    pub(super) fn locate(&mut self, address: IpAddr) -> (Located, Option<String>) {
        let located = self.databases.find(address);
        if !located.is_corrupt() {
            return (located, None);
        }
        let is_first = !std::mem::replace(&mut self.is_told, true);
        let fault = self.databases.fault(address).filter(|_| is_first);
        let told = fault.map(|fault| {
            format!(
                "{fault}; rules that deny or report match such clients by country= and asn=, rules \
                 that allow do not; replace the file by one that is whole"
            )
        });
        (located, told)
    }

    /// Returns the place of `address`. What cannot be read is unknown in it.
    pub(super) fn place(&self, address: IpAddr) -> Place {
        self.databases.place(address)
    }
}
