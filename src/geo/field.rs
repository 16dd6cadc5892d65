//! Fields of records that hold countries and numbers of autonomous systems. Publishers of databases
//! name them differently.

use maxminddb::{LookupResult, MaxMindDbError, PathElement};

use super::country::Country;

/// Record of an address.
pub(super) type Record<'a> = LookupResult<'a, Vec<u8>>;

/// Names that lead to a value in nested maps.
type Path = &'static [PathElement<'static>];

const fn key(name: &'static str) -> PathElement<'static> {
    PathElement::Key(name)
}

/// Field with the code of a country.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountryField(Path);

/// Field with the number of an autonomous system.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkField(Path, Written);

/// Form of a number.
#[derive(Clone, Copy, Debug)]
enum Written {
    /// An integer.
    Number,
    /// Text such as `AS64496`.
    Text,
}

const COUNTRIES: &[CountryField] = &[
    CountryField(&[key("country"), key("iso_code")]),
    CountryField(&[key("country_code")]),
    CountryField(&[key("country")]),
];

const NETWORKS: &[NetworkField] = &[
    NetworkField(&[key("autonomous_system_number")], Written::Number),
    NetworkField(&[key("traits"), key("autonomous_system_number")], Written::Number),
    NetworkField(&[key("asn")], Written::Number),
    NetworkField(&[key("asn")], Written::Text),
];

impl CountryField {
    /// Returns the field that holds a country in `record`.
    pub(super) fn in_record(record: &Record<'_>) -> Option<Self> {
        COUNTRIES.iter().copied().find(|field| matches!(field.read(record), Ok(Some(_))))
    }

    /// Returns the country in `record`; `None` if the record has none.
    ///
    /// # Errors
    /// Fails if the record is corrupt.
    pub(super) fn read(self, record: &Record<'_>) -> Result<Option<Country>, MaxMindDbError> {
        Ok(record.decode_path::<&str>(self.0)?.and_then(Country::of))
    }
}

impl NetworkField {
    /// Returns the field that holds the number of an autonomous system in `record`.
    pub(super) fn in_record(record: &Record<'_>) -> Option<Self> {
        NETWORKS.iter().copied().find(|field| matches!(field.read(record), Ok(Some(_))))
    }

    /// Returns the number of the autonomous system in `record`; `None` if the record has none.
    ///
    /// # Errors
    /// Fails if the record is corrupt.
    pub(super) fn read(self, record: &Record<'_>) -> Result<Option<u32>, MaxMindDbError> {
        let Self(path, written) = self;
        match written {
            Written::Number => record.decode_path(path),
            Written::Text => Ok(record.decode_path::<&str>(path)?.and_then(number)),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.strip_prefix("AS").unwrap_or(text).parse().ok()
}
