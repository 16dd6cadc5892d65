//! One database, checked as a whole when it is read.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use super::country::Country;
use super::field::{CountryField, NetworkField, Record};
use super::place::GeoKinds;

/// Most records that are searched for the fields of a database.
const MOST_SEARCHED: usize = 1000;
/// Most visits of ends of the search tree, for each of its nodes. A tree has about as many ends as nodes;
/// the part for IPv4 is visited again for each of its three or four aliases, such as `2002::/16`.
const MOST_VISITS: usize = 8;

/// Database of the MaxMind DB format, in memory. A look-up follows at most one node of the search tree
/// for each bit of the address, and reads one field.
#[derive(Debug)]
pub struct GeoDatabase {
    name: String,
    version: u64,
    reader: Reader<Vec<u8>>,
    country: Option<CountryField>,
    network: Option<NetworkField>,
}

impl GeoDatabase {
    /// Returns the database in `bytes`, after checking its search tree, which takes time in proportion
    /// to its size. `name` is that of its file, for messages. `version` is a number by which the
    /// caller tells versions of the file apart.
    ///
    /// # Errors
    /// A message without the name of the file: the bytes are no such database, or a part of one; the
    /// search tree is corrupt; or the records have neither countries nor autonomous systems.
    pub fn read(name: &str, version: u64, bytes: Vec<u8>) -> Result<Self, String> {
        let invalid = |error: MaxMindDbError| {
            format!("not a complete database of the MaxMind DB format (.mmdb): {error}")
        };
        let reader = Reader::from_source(bytes).map_err(invalid)?;
        let (country, network) = fields(&reader).map_err(invalid)?;
        let database = Self { name: name.to_owned(), version, reader, country, network };
        if database.kinds().is_empty() {
            return Err(format!(
                "a database of type '{}', whose records have neither countries nor autonomous systems",
                database.kind()
            ));
        }
        Ok(database)
    }

    /// Returns the name of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number that the caller gave to the version of the file.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Returns the type of the database as its publisher named it, without control characters.
    #[must_use]
    pub fn kind(&self) -> String {
        self.reader.metadata().database_type.chars().filter(|c| !c.is_control()).collect()
    }

    /// Returns the time at which the publisher built the database.
    #[must_use]
    pub fn built(&self) -> SystemTime {
        self.reader.metadata().build_time().unwrap_or(UNIX_EPOCH) // checked when it was read
    }

    /// Returns the kinds of values in the database.
    #[must_use]
    pub const fn kinds(&self) -> GeoKinds {
        GeoKinds { countries: self.country.is_some(), networks: self.network.is_some() }
    }

    /// Returns the country of `address`; `None` if the database does not have one.
    ///
    /// # Errors
    /// A message that says where the record is corrupt.
    pub(super) fn country(&self, address: IpAddr) -> Result<Option<Country>, String> {
        let Some(field) = self.country else { return Ok(None) };
        self.find(address, |record| field.read(record))
    }

    /// Returns the number of the autonomous system of `address`; `None` if the database does not have
    /// one.
    ///
    /// # Errors
    /// A message that says where the record is corrupt.
    pub(super) fn network(&self, address: IpAddr) -> Result<Option<u32>, String> {
        let Some(field) = self.network else { return Ok(None) };
        self.find(address, |record| field.read(record))
    }

    fn find<T>(
        &self,
        address: IpAddr,
        read: impl FnOnce(&Record<'_>) -> Result<Option<T>, MaxMindDbError>,
    ) -> Result<Option<T>, String> {
        let address = address.to_canonical();
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(address).and_then(|record| read(&record));
        found.map_err(|error| format!("{}: the record of {address}: {error}", self.name))
    }
}

/// Returns the fields of the records.
///
/// # Errors
/// Fails if the search tree leads in a circle or beyond the records.
fn fields(
    reader: &Reader<Vec<u8>>,
) -> Result<(Option<CountryField>, Option<NetworkField>), MaxMindDbError> {
    let (mut country, mut network, mut searched) = (None, None, 0);
    // Passing over the aliases of IPv4 would cost unbounded time in a tree made for that.
    let all = WithinOptions::default().include_networks_without_data().include_aliased_networks();
    let ends = reader.networks(all)?;
    let most = (reader.metadata().node_count as usize).saturating_mul(MOST_VISITS);
    for (end, count) in ends.zip(1..) {
        let record = end?;
        if count > most {
            return Err(MaxMindDbError::invalid_database(
                "nodes of the search tree have several parents",
            ));
        }
        if record.has_data() && searched < MOST_SEARCHED {
            searched += 1;
            country = country.or_else(|| CountryField::in_record(&record));
            network = network.or_else(|| NetworkField::in_record(&record));
        }
    }
    Ok((country, network))
}
