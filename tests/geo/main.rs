//! Places of addresses, looked up in databases that the tests write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;
mod lookups;
#[path = "../mmdb/mod.rs"]
mod mmdb;

use std::sync::Arc;

use mmdb::{Value, Writer};
use tidegate::geo::{GeoDatabase, GeoDatabases};

/// Returns a file with these networks.
fn file(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut writer = Writer::new(kind, 24);
    networks.iter().for_each(|(network, record)| writer.add(network, record.clone()));
    writer.finish()
}

/// Returns a database with these networks.
fn database(name: &str, networks: &[(&str, Value)]) -> Arc<GeoDatabase> {
    Arc::new(GeoDatabase::read(name, 0, file("Test", networks)).unwrap())
}

/// Returns the place of an address as text.
fn place(databases: &GeoDatabases, address: &str) -> String {
    databases.place(address.parse().unwrap()).to_string()
}
