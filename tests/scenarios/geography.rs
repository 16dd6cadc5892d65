//! Databases of places, described by their networks.

use std::sync::Arc;

use tidegate::geo::{GeoDatabase, GeoDatabases};

use super::mmdb::{Value, Writer, corrupt_country, country, network};

/// Returns the databases of a text such as `192.0.2.0/24=DE,198.51.100.0/24=AS64496`: one of countries,
/// in which a country may be `corrupt`, and one of autonomous systems.
pub(crate) fn databases(text: &str) -> Result<GeoDatabases, String> {
    let mut countries = Vec::new();
    let mut networks = Vec::new();
    for entry in text.split(',') {
        let (of, value) = entry.split_once('=').ok_or(format!("'{entry}' is not NETWORK=VALUE"))?;
        match value.strip_prefix("AS") {
            Some(number) if value.len() > 2 => {
                networks.push((of, network(number.parse().map_err(|_| value.to_owned())?)));
            }
            _ if value == "corrupt" => countries.push((of, corrupt_country())),
            _ => countries.push((of, country(value))),
        }
    }
    let all = [("countries.mmdb", countries), ("networks.mmdb", networks)];
    let given = all.into_iter().filter(|(_, networks)| !networks.is_empty());
    let read = given.map(|(name, networks)| read(name, networks).map(Arc::new));
    read.collect::<Result<_, _>>().map(GeoDatabases::new)
}

fn read(name: &str, networks: Vec<(&str, Value)>) -> Result<GeoDatabase, String> {
    let mut writer = Writer::new("Test", 28);
    networks.into_iter().for_each(|(network, record)| writer.add(network, record));
    GeoDatabase::read(name, 0, writer.finish())
}
