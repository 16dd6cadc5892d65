#![no_main]
//! The rules, and an oracle: what is read of a message, another implementation reads the same way.

use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use tidegate::dns::{self, Data, Response};

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
        // It may object to records that are none of a stub resolver's business, and to nothing else.
        let records = count(6) + count(8) + count(10);
        assert_ne!(records, ours.answers.len() + ours.authority.len());
        return;
    };
    assert_eq!(theirs.metadata.id, ours.id);
    assert_eq!(u16::from(theirs.metadata.response_code), ours.code);
    assert!(same_name(theirs.queries[0].name(), &ours.name));
    assert_eq!(known(&theirs.answers), said(&ours.answers));
    assert_eq!(known(&theirs.authorities), said(&ours.authority));
}

/// What a record says: owner, seconds, and an address, a name or a number of seconds.
type Said = (Vec<u8>, u32, Option<IpAddr>, Option<Vec<u8>>, Option<u32>);

fn said(records: &[dns::Record]) -> Vec<Said> {
    let wire = |name: &dns::Name| name.wire().to_ascii_lowercase();
    let each = |record: &dns::Record| {
        let owner = wire(&record.owner);
        match &record.data {
            Data::Address(address) => (owner, record.ttl, Some(*address), None, None),
            Data::Cname(name) => (owner, record.ttl, None, Some(wire(name)), None),
            Data::Soa(minimum) => (owner, record.ttl, None, None, Some(*minimum)),
            Data::Other => unreachable!("such records are not kept"),
        }
    };
    records.iter().map(each).collect()
}

fn known(records: &[Record]) -> Vec<Said> {
    let internet = records.iter().filter(|record| record.dns_class == DNSClass::IN);
    internet
        .filter_map(|record| {
            let owner = wire(&record.name);
            // RFC 2181 §8 is left to the caller.
            let ttl = i32::try_from(record.ttl).map_or(0, i32::unsigned_abs);
            Some(match &record.data {
                RData::A(a) => (owner, ttl, Some(IpAddr::V4(a.0)), None, None),
                RData::AAAA(aaaa) => (owner, ttl, Some(IpAddr::V6(aaaa.0)), None, None),
                RData::CNAME(name) => (owner, ttl, None, Some(wire(&name.0)), None),
                RData::SOA(soa) => (owner, ttl, None, None, Some(soa.minimum)),
                _ => return None,
            })
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
