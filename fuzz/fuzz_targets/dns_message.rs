#![no_main]
//! Rules for messages, and a comparison with another implementation of the parser.

use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use tidegate::dns::{self, Data, LONGEST_CHAIN, MOST_ADDRESSES, Response};

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tidegate_fuzz::dns::rules(data);
    if let Ok(response) = Response::read(data)
        && !response.truncated
    {
        compare(data, &response);
    }
});

fn compare(data: &[u8], ours: &Response) {
    let count = |at: usize| usize::from(u16::from_be_bytes([data[at], data[at + 1]]));
    let Ok(theirs) = Message::from_vec(data) else {
        // The other implementation may reject records that a stub resolver ignores, but no others.
        let records = count(6) + count(8) + count(10);
        assert_ne!(records, ours.answers.len() + ours.authority.len());
        return;
    };
    assert_eq!(theirs.metadata.id, ours.id);
    assert_eq!(u16::from(theirs.metadata.response_code), ours.code);
    assert!(same_name(theirs.queries[0].name(), &ours.name));
    let addresses = if matches!(ours.question.0, A | AAAA) { 2 * MOST_ADDRESSES } else { 0 };
    let answers = [(ours.question.0, addresses), (CNAME, 2 * LONGEST_CHAIN)];
    assert_eq!(known(&theirs.answers, &answers), said(&ours.answers));
    assert_eq!(known(&theirs.authorities, &[(SOA, 4)]), said(&ours.authority));
}

/// Contents of a record: owner, TTL, and an address, a name or a number of seconds.
type Said = (Vec<u8>, u32, Option<IpAddr>, Option<Vec<u8>>, Option<u32>);

fn said(records: &[dns::Record]) -> Vec<Said> {
    let wire = |name: &dns::Name| name.wire().to_ascii_lowercase();
    let each = |record: &dns::Record| {
        let owner = wire(&record.owner);
        match &record.data {
            Data::Address(address) => (owner, record.ttl, Some(*address), None, None),
            Data::Cname(name) => (owner, record.ttl, None, Some(wire(name)), None),
            Data::Soa(minimum) => (owner, record.ttl, None, None, Some(*minimum)),
        }
    };
    records.iter().map(each).collect()
}

/// Returns the contents of the records of the given kinds, up to a number for each.
fn known(records: &[Record], kinds: &[(u16, usize)]) -> Vec<Said> {
    let mut left = kinds.to_vec();
    let internet = records.iter().filter(|record| record.dns_class == DNSClass::IN);
    internet
        .filter_map(|record| {
            let owner = wire(&record.name);
            // The caller applies RFC 2181 §8.
            let ttl = i32::try_from(record.ttl).map_or(0, i32::unsigned_abs);
            let (kind, said) = match &record.data {
                RData::A(a) => (A, (owner, ttl, Some(IpAddr::V4(a.0)), None, None)),
                RData::AAAA(aaaa) => (AAAA, (owner, ttl, Some(IpAddr::V6(aaaa.0)), None, None)),
                RData::CNAME(name) => (CNAME, (owner, ttl, None, Some(wire(&name.0)), None)),
                RData::SOA(soa) => (SOA, (owner, ttl, None, None, Some(soa.minimum))),
                _ => return None,
            };
            let left = left.iter_mut().find(|(wanted, left)| *wanted == kind && *left > 0)?;
            left.1 -= 1;
            Some(said)
        })
        .collect()
}

fn wire(name: &Name) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).expect("a label is short"));
        wire.extend(label.to_ascii_lowercase());
    }
    wire.push(0);
    wire
}

fn same_name(theirs: &Name, ours: &dns::Name) -> bool {
    wire(theirs) == ours.wire().to_ascii_lowercase()
}
