//! Interpretation of a response for the queried name.

use std::net::IpAddr;

use crate::work::count;

use super::bounds::{LONGEST_CHAIN, MOST_ADDRESSES};
use super::message::{Data, Kind, Record, Response};
use super::name::Name;

const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;

/// Statement of a response about a name. Lifetimes are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The name has addresses.
    Addresses {
        /// Addresses of the queried kind, in the order of the message.
        addresses: Vec<IpAddr>,
        /// Shortest lifetime of the records that lead to them.
        ttl: u32,
    },
    /// The name is an alias for another, about which the response says nothing.
    Elsewhere {
        /// Target of the alias.
        name: Name,
        /// Shortest lifetime of the CNAME records.
        ttl: u32,
        /// Number of CNAME records followed so far.
        links: usize,
    },
    /// The name exists but has no address of this kind. Holds for this time, if the response gives
    /// one.
    NoData(Option<u32>),
    /// The name, or the target of its alias, does not exist (RFC 8020). Holds for this time, if the
    /// response gives one.
    NoSuchName(Option<u32>),
    /// The CNAME records form a loop, or are too many.
    Chain,
    /// The server neither knows the name nor resolves it recursively (RFC 1034 §4.3.1).
    Lame,
    /// The server failed or refused, with this response code (RFC 1035 §4.1.1, RCODE).
    Code(u16),
}

impl Resolution {
    /// Interprets `response` for `name`, after `links` CNAME records were followed in other
    /// responses.
    ///
    /// Only records of the name count, and those of the target of a CNAME record that counts. All
    /// others say nothing about the name, whatever a server adds to a response (RFC 5452 §6).
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

/// Returns the time in seconds for which the absence of `name`'s addresses holds, from the SOA
/// record of its zone (RFC 2308 §5). Without that record, the response does not prove the absence.
fn negative_ttl(name: &Name, authority: &[Record]) -> Option<u32> {
    count(name.wire().len() * authority.len());
    authority.iter().find_map(|record| match record.data {
        Data::Soa(minimum) if name.is_within(&record.owner) => Some(record.ttl.min(minimum)),
        _ => None,
    })
}
