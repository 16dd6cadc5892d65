//! Countries and networks of addresses, looked up in databases of the MaxMind DB format 2.0. Nothing
//! here opens a file: the caller supplies the bytes.
//!
//! * [`GeoDatabase`] is one file: it knows countries, autonomous systems, or both.
//! * [`GeoDatabases`] answers with what the first of several databases knows.
//! * [`Located`] tells what is unknown from what a corrupt record has hidden; [`Place`] does not.

mod country;
mod database;
mod databases;
mod field;
mod place;

pub use country::Country;
pub use database::GeoDatabase;
pub use databases::GeoDatabases;
pub use place::{CorruptRecord, GeoKinds, Located, Place};
