//! Bytes that are no database, a part of one, or a corrupt one: none of them panics, hangs or takes
//! memory beyond its size.

use std::net::IpAddr;

use proptest::prelude::*;
use tidegate::geo::{GeoDatabase, GeoDatabases};

use super::file;
use super::mmdb::{Value, country, network};

const ADDRESSES: &[&str] =
    &["192.0.2.1", "198.51.100.1", "0.0.0.0", "255.255.255.255", "2001:db8::1"];

fn networks() -> [(&'static str, Value); 3] {
    [
        ("192.0.2.0/24", country("DE")),
        ("198.51.100.0/24", network(64496)),
        ("2001:db8::/32", country("AT")),
    ]
}

fn refusal(bytes: &[u8]) -> String {
    GeoDatabase::read("d", 0, bytes.to_vec()).unwrap_err()
}

/// Asks a database about some addresses, if the bytes are accepted.
fn ask(bytes: Vec<u8>) {
    let Ok(database) = GeoDatabase::read("d", 0, bytes) else { return };
    assert!(!database.kinds().is_empty() && !database.kind().contains(char::is_control));
    let databases = GeoDatabases::new(vec![database.into()]);
    for address in ADDRESSES {
        let address: IpAddr = address.parse().unwrap();
        let found = databases.find(address);
        assert_eq!(found.is_corrupt(), databases.fault(address).is_some());
        assert_eq!(found.place(), databases.place(address));
    }
}

#[test]
fn files_that_are_no_database_are_refused_with_the_reason() {
    let said = refusal(b"<!doctype html>");
    assert!(
        said.starts_with("not a complete database of the MaxMind DB format (.mmdb): "),
        "{said}"
    );
    let cities = [("192.0.2.0/24", Value::Map(vec![("city", Value::Text("Ulm".into()))]))];
    let said = refusal(&file("Test\n-City", &cities));
    let expected = "a database of type 'Test-City', whose records have neither countries nor autonomous systems";
    assert_eq!(said, expected);
}

#[test]
fn part_of_a_file_is_refused_wherever_it_is_cut() {
    let whole = file("Test", &networks());
    for end in 0..whole.len() {
        refusal(&whole[..end]);
    }
    assert!(GeoDatabase::read("d", 0, whole).is_ok());
}

#[test]
fn tree_that_leads_in_a_circle_or_beyond_the_records_is_refused() {
    let whole = file("Test", &networks());
    let mut circle = whole.clone();
    circle[..6].fill(0); // both branches of the root lead to the root
    assert!(refusal(&circle).contains("cycle"));
    let mut beyond = whole;
    beyond[3..6].fill(0xff);
    assert!(refusal(&beyond).contains("MaxMind DB"));
}

/// A hundred nodes whose branches both lead to the next one have 2^100 ways through them.
#[test]
fn tree_with_shared_nodes_is_refused_in_time() {
    let mut tree = Vec::new();
    for next in 1..=100_u32 {
        let branch = &next.to_be_bytes()[1..];
        tree.extend([branch, branch].concat());
    }
    let mut shared = tree;
    let whole = file("Test", &[("8000::/100", country("DE"))]);
    shared.extend(&whole[6 * 100..]);
    assert!(refusal(&shared).contains("several parents"));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_answer(
        tree in prop::collection::vec(any::<u8>(), 0..600),
        data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        ask(tree.clone());
        // The same with metadata that is whole.
        let whole = file("Test", &networks());
        let marker = whole.windows(3).rposition(|bytes| bytes == b"\xab\xcd\xef").unwrap();
        ask([&tree[..], &[0; 16], &data[..], &whole[marker..]].concat());
    }

    #[test]
    fn changed_bytes_are_refused_or_answer(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = file("Test", &networks());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        ask(bytes);
    }
}
