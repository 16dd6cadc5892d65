//! Several databases, of which each may know another part of a place.

use std::net::IpAddr;
use std::sync::Arc;

use super::database::GeoDatabase;
use super::place::{CorruptRecord, GeoKinds, Located, Place};

/// Databases in the order in which they are asked. A value is that of the first one that has it.
#[derive(Clone, Debug, Default)]
pub struct GeoDatabases(Vec<Arc<GeoDatabase>>);

impl GeoDatabases {
    /// Returns the databases of a list, in its order.
    #[must_use]
    pub const fn new(list: Vec<Arc<GeoDatabase>>) -> Self {
        Self(list)
    }

    /// Returns the databases.
    #[must_use]
    pub fn list(&self) -> &[Arc<GeoDatabase>] {
        &self.0
    }

    /// Returns the kinds of values that any of the databases has.
    #[must_use]
    pub fn kinds(&self) -> GeoKinds {
        self.0.iter().fold(GeoKinds::default(), |all, database| all.or(database.kinds()))
    }

    /// Returns what is known of `address`. An IPv4-mapped IPv6 address is looked up as IPv4.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Located {
        Located {
            country: self.first(|database| database.country(address)).map_err(|_| CorruptRecord),
            asn: self.first(|database| database.network(address)).map_err(|_| CorruptRecord),
        }
    }

    /// Returns the place of `address`. What cannot be read is unknown in it.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        self.find(address).place()
    }

    /// Returns the file whose record of `address` cannot be read, and the reason.
    #[must_use]
    pub fn fault(&self, address: IpAddr) -> Option<String> {
        let country = self.first(|database| database.country(address)).err();
        country.or_else(|| self.first(|database| database.network(address)).err())
    }

    /// Returns the first value that a database has.
    fn first<T>(
        &self,
        find: impl Fn(&GeoDatabase) -> Result<Option<T>, String>,
    ) -> Result<Option<T>, String> {
        self.0.iter().find_map(|database| find(database).transpose()).transpose()
    }
}
