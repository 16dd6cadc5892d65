//! What a response says about the name asked for.

use std::net::IpAddr;

use crate::work::count;

use super::bounds::{LONGEST_CHAIN, MOST_ADDRESSES};
use super::message::{Data, Kind, Record, Response};
use super::name::Name;

const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;

/// What a response says. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The name has addresses.
    Addresses {
        /// All of the kind asked for, in the order of the message.
        addresses: Vec<IpAddr>,
        /// How long they hold: the shortest time of the records they come from.
        ttl: u32,
    },
    /// The name stands for another, about which the response says nothing.
    Elsewhere {
        /// The other.
        name: Name,
        /// How long that holds.
        ttl: u32,
        /// How many CNAME records there were.
        links: usize,
    },
    /// The name exists, and has no address of this kind.
    NoData(Option<u32>),
    /// The name does not exist (RFC 8020), or the one that it stands for.
    NoSuchName(Option<u32>),
    /// CNAME records make a loop, or are too many.
    Chain,
    /// The server has no answer to give: it knows nothing and asks nobody (RFC 1034 §4.3.1).
    Lame,
    /// The server says that it failed, or that it does not want to (RFC 1035 §4.1.1, RCODE).
    Code(u16),
}

impl Resolution {
    /// What `response` says about `name`, after `links` CNAME records were followed in others.
    ///
    /// Only records count that belong to the name, or to one that it stands for by a record that
    /// counts: whatever else a server puts into a response says nothing (RFC 5452 §6).
    #[must_use]
    pub fn of(response: &Response, name: &Name, kind: Kind, links: usize) -> Self {
        if !matches!(response.code, NO_ERROR | NAME_ERROR) {
            return Self::Code(response.code);
        }
        let (mut end, mut ttl, mut followed) = (name, u32::MAX, links);
        loop {
            if response.code == NO_ERROR {
                let (addresses, holds) = addresses_of(end, kind, &response.answers);
                if !addresses.is_empty() {
                    return Self::Addresses { addresses, ttl: ttl.min(holds) };
                }
            }
            let Some((record, target)) = cname_of(end, &response.answers) else { break };
            if followed == LONGEST_CHAIN {
                return Self::Chain;
            }
            (end, ttl, followed) = (target, ttl.min(record.ttl), followed + 1);
        }
        let negative = negative_ttl(end, &response.authority).map(|holds| holds.min(ttl));
        let alias = followed > links;
        match (response.code, negative) {
            (NAME_ERROR, _) => Self::NoSuchName(negative),
            (_, None) if alias => Self::Elsewhere { name: end.clone(), ttl, links: followed },
            (_, None) if !response.recursion => Self::Lame,
            _ => Self::NoData(negative),
        }
    }
}

fn addresses_of(owner: &Name, kind: Kind, records: &[Record]) -> (Vec<IpAddr>, u32) {
    count(owner.wire().len() * records.len());
    let (mut addresses, mut ttl) = (Vec::new(), u32::MAX);
    for record in records {
        if let Data::Address(address) = record.data
            && address.is_ipv6() == (kind == Kind::Aaaa)
            && record.owner == *owner
            && addresses.len() < MOST_ADDRESSES
        {
            ttl = ttl.min(record.ttl);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    (addresses, ttl)
}

fn cname_of<'a>(owner: &Name, records: &'a [Record]) -> Option<(&'a Record, &'a Name)> {
    count(owner.wire().len() * records.len());
    records.iter().find_map(|record| match &record.data {
        Data::Cname(target) if record.owner == *owner => Some((record, target)),
        _ => None,
    })
}

/// How long it holds that `name` has nothing: what its zone says of that (RFC 2308 §5). Without,
/// the response says nothing of it.
fn negative_ttl(name: &Name, authority: &[Record]) -> Option<u32> {
    count(name.wire().len() * authority.len());
    authority.iter().find_map(|record| match record.data {
        Data::Soa(minimum) if name.is_within(&record.owner) => Some(record.ttl.min(minimum)),
        _ => None,
    })
}
