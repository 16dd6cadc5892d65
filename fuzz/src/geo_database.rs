//! Databases of places: any bytes are refused with a reason, or answer each look-up.

use std::net::{IpAddr, Ipv6Addr};

use tidegate::geo::{GeoDatabase, GeoDatabases};

/// Checks any bytes as a database. The last 16 of them are also an address to look up.
pub fn rules(bytes: &[u8]) {
    let database = match GeoDatabase::read("d", 0, bytes.to_vec()) {
        Ok(database) => database,
        Err(why) => return assert!(!why.is_empty()),
    };
    assert!(!database.kinds().is_empty());
    assert!(!database.kind().contains(char::is_control));
    let databases = GeoDatabases::new(vec![database.into()]);
    let last = bytes.last_chunk::<16>().map(|last| IpAddr::from(Ipv6Addr::from(*last)));
    let given = ["192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "2002:c000:201::"];
    let given = given.iter().map(|address| address.parse().expect("an address"));
    for address in given.chain(last) {
        let found = databases.find(address);
        assert_eq!(found.is_corrupt(), databases.fault(address).is_some());
        assert_eq!(found.place(), databases.place(address));
        let country = found.place().country;
        assert!(country.is_none_or(|it| it.as_str().bytes().all(|b| b.is_ascii_uppercase())));
        let mapped = match address {
            IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
            v6 => v6,
        };
        assert_eq!(databases.find(mapped), found);
    }
}
