//! Look-ups in databases that are whole.

use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;
use tidegate::geo::{Country, GeoDatabase, GeoDatabases, GeoKinds};

use super::mmdb::{Value, Writer, corrupt_country, country, network};
use super::{database, place};

#[test]
fn databases_answer_together() {
    let countries =
        database("countries", &[("192.0.2.0/24", country("DE")), ("2001:db8::/32", country("AT"))]);
    let networks = database(
        "networks",
        &[("192.0.2.0/25", network(64496)), ("198.51.100.0/24", network(4_200_000_000))],
    );
    assert_eq!(countries.kinds(), GeoKinds { countries: true, networks: false });
    assert_eq!(networks.kinds(), GeoKinds { countries: false, networks: true });
    let both = GeoDatabases::new(vec![countries, networks]);
    assert_eq!(both.kinds(), GeoKinds { countries: true, networks: true });
    for (address, expected) in [
        ("192.0.2.1", "DE, AS64496"),
        ("::ffff:192.0.2.1", "DE, AS64496"),
        ("192.0.2.200", "DE"),
        ("198.51.100.7", "AS4200000000"),
        ("2001:db8:ffff::1", "AT"),
        ("2001:db9::", "an unknown place"),
        ("203.0.113.1", "an unknown place"),
    ] {
        assert_eq!(place(&both, address), expected, "{address}");
    }
    assert_eq!(place(&GeoDatabases::default(), "192.0.2.1"), "an unknown place");
}

#[test]
fn aliases_of_ipv4_are_followed() {
    let nets: Vec<String> = (0..=255).map(|third| format!("192.0.{third}.0/24")).collect();
    let networks: Vec<_> = nets.iter().map(|network| (network.as_str(), country("DE"))).collect();
    let databases = GeoDatabases::new(vec![database("d", &networks)]);
    assert_eq!(place(&databases, "2002:c000:201::"), "DE");
    assert_eq!(place(&databases, "2002:c100:201::"), "an unknown place");
}

#[test]
fn first_database_with_a_value_answers() {
    let first = database("first", &[("192.0.2.0/24", country("DE"))]);
    let second =
        database("second", &[("192.0.2.0/24", country("AT")), ("198.51.100.0/24", country("CH"))]);
    let both = GeoDatabases::new(vec![first, second]);
    assert_eq!(place(&both, "192.0.2.1"), "DE");
    assert_eq!(place(&both, "198.51.100.1"), "CH");
}

#[test]
fn fields_of_several_publishers_are_known() {
    let text = |text: &str| Value::Text(text.to_owned());
    for (record, expected) in [
        (Value::Map(vec![("country_code", text("de")), ("asn", text("AS64496"))]), "DE, AS64496"),
        (Value::Map(vec![("asn", Value::Number(64496)), ("country", text("DE"))]), "DE, AS64496"),
        (
            Value::Map(vec![
                ("country", Value::Map(vec![("iso_code", text("DE"))])),
                ("traits", Value::Map(vec![("autonomous_system_number", Value::Number(64496))])),
            ]),
            "DE, AS64496",
        ),
    ] {
        let databases = GeoDatabases::new(vec![database("d", &[("192.0.2.0/24", record)])]);
        assert_eq!(place(&databases, "192.0.2.1"), expected);
    }
}

#[test]
fn record_of_another_type_is_corrupt_and_not_unknown() {
    let of = [
        ("192.0.2.0/24", country("DE")),
        ("198.51.100.0/24", corrupt_country()),
        ("203.0.113.0/24", Value::Map(Vec::new())),
    ];
    let databases = GeoDatabases::new(vec![database("file.mmdb", &of)]);
    let find = |address: &str| databases.find(address.parse().unwrap());
    assert!(find("198.51.100.1").is_corrupt() && find("198.51.100.1").country.is_err());
    assert_eq!(place(&databases, "198.51.100.1"), "an unknown place");
    assert!(!find("203.0.113.1").is_corrupt() && !find("192.0.2.1").is_corrupt());
    let fault = databases.fault("198.51.100.1".parse().unwrap()).unwrap();
    assert!(fault.starts_with("file.mmdb: the record of 198.51.100.1: "), "{fault}");
    assert_eq!(databases.fault("192.0.2.1".parse().unwrap()), None);
}

proptest! {
    /// Of nested networks, the one added last counts: the writer adds larger ones first.
    #[test]
    fn longest_network_decides(
        networks in prop::collection::vec((any::<u8>(), any::<u8>(), 97_usize..=128), 1..40),
        asked in prop::collection::vec((any::<u8>(), any::<u8>()), 50),
        bits in prop::sample::select(vec![24, 28, 32]),
    ) {
        let address = |high: u8, low: u8| u128::from(high) << 24 | u128::from(low);
        let masked = |bits: u128, prefix: usize| bits >> (128 - prefix) << (128 - prefix);
        let mut list: Vec<(u128, usize, u32)> = networks
            .iter()
            .zip(1..)
            .map(|(&(high, low, prefix), n)| (masked(address(high, low), prefix), prefix, n))
            .collect();
        list.sort_by_key(|&(_, prefix, _)| prefix);
        let mut writer = Writer::new("Test-ASN", bits);
        for &(bits, prefix, number) in &list {
            writer.add(&format!("{}/{prefix}", Ipv6Addr::from(bits)), network(number));
        }
        let database = GeoDatabase::read("d", 0, writer.finish()).unwrap();
        let databases = GeoDatabases::new(vec![database.into()]);
        let own = list.iter().map(|&(bits, ..)| bits);
        for bits in asked.iter().map(|&(high, low)| address(high, low)).chain(own) {
            let fits = |&&(network, prefix, _): &&(u128, usize, u32)| masked(bits, prefix) == network;
            let expected = list.iter().rev().find(fits).map(|&(.., number)| number);
            let found = databases.find(IpAddr::from(Ipv6Addr::from(bits)));
            prop_assert_eq!(found.asn, Ok(expected));
        }
    }

    #[test]
    fn countries_are_two_letters(text in "[a-zA-Z0-9\u{e4} ]{0,3}") {
        let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        let country: Result<Country, String> = text.parse();
        prop_assert_eq!(country.is_ok(), is_code);
        if let Ok(country) = country {
            prop_assert_eq!(country.to_string(), text.to_ascii_uppercase());
        }
    }
}
