//! Results of look-ups.

use std::fmt;

use super::country::Country;

/// Country and autonomous system of an address, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Country in which the address is used.
    pub country: Option<Country>,
    /// Number of the autonomous system that announces the address.
    pub asn: Option<u32>,
}

/// Writes `DE, AS64496`, the part that is known, or `an unknown place`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.country, self.asn) {
            (Some(country), Some(asn)) => write!(f, "{country}, AS{asn}"),
            (Some(country), None) => country.fmt(f),
            (None, Some(asn)) => write!(f, "AS{asn}"),
            (None, None) => f.write_str("an unknown place"),
        }
    }
}

/// Failure to read the record of an address, because the database is corrupt there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptRecord;

/// Result of a look-up: for each kind, the value, `None` if no database has one for the address, or
/// the failure to read it. The default is that nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// Country of the address.
    pub country: Result<Option<Country>, CorruptRecord>,
    /// Number of the autonomous system of the address.
    pub asn: Result<Option<u32>, CorruptRecord>,
}

impl Default for Located {
    fn default() -> Self {
        Self { country: Ok(None), asn: Ok(None) }
    }
}

impl Located {
    /// Returns the place. What could not be read is unknown in it.
    #[must_use]
    pub fn place(self) -> Place {
        Place { country: self.country.unwrap_or_default(), asn: self.asn.unwrap_or_default() }
    }

    /// Returns true if a value could not be read.
    #[must_use]
    pub const fn is_corrupt(&self) -> bool {
        self.country.is_err() || self.asn.is_err()
    }
}

/// Kinds of values that databases have, or that rules need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeoKinds {
    /// True for countries.
    pub countries: bool,
    /// True for autonomous systems.
    pub networks: bool,
}

impl GeoKinds {
    /// Returns the kinds of either value.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            countries: self.countries || other.countries,
            networks: self.networks || other.networks,
        }
    }

    /// Returns true if there is no kind.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.countries && !self.networks
    }
}

/// Writes the kinds in words.
impl fmt::Display for GeoKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.countries, self.networks) {
            (true, true) => "countries and autonomous systems",
            (true, false) => "countries",
            (false, true) => "autonomous systems",
            (false, false) => "nothing",
        })
    }
}
