//! DNS messages (RFC 1035 §4.1): encodes queries, decodes responses.
//!
//! A message may contain anything. The length of a name is bounded, and so is the number of
//! compression pointers in it, each of which has to point strictly backwards. The length of a
//! record has to match its content. Of each kind of records, only as many are read as a name may
//! need; the others are skipped. So the work for a message is bounded by its length and a constant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::work::{LOOK_UP, count};

use super::bounds::{LONGEST_CHAIN, MOST_ADDRESSES};
use super::name::{LONGEST, Name};
use super::problem::FORMAT_ERROR;

/// Size in octets of a datagram that passes every path without fragmentation (DNS Flag Day 2020;
/// RFC 9715 §3.1).
pub const DATAGRAM: u16 = 1232;

const QUERY_WITH_RECURSION: u16 = 0x0100;
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const RECURSION_AVAILABLE: u16 = 0x0080;
const INTERNET: u16 = 1;
const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const OPT: u16 = 41;

/// Most pointers in one name. Each pointer replaces at least one label, and a name has no more
/// labels.
const MOST_POINTERS: usize = LONGEST / 2;
/// Most address records read from one message: twice the number of addresses taken, as some records
/// may be duplicates.
const MOST_ADDRESS_RECORDS: usize = 2 * MOST_ADDRESSES;
/// Most CNAME records read from one message.
const MOST_CNAME_RECORDS: usize = 2 * LONGEST_CHAIN;
/// Most SOA records read from one message; a negative answer has one.
const MOST_SOA_RECORDS: usize = 4;

/// Kinds of addresses that can be queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4.
    A,
    /// IPv6 (RFC 3596).
    Aaaa,
}

impl Kind {
    /// Returns the type number of the kind in messages.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::A => A,
            Self::Aaaa => AAAA,
        }
    }
}

/// Encodes a query for one name and kind. With `edns`, the server may answer with up to
/// [`DATAGRAM`] octets (RFC 6891) instead of 512.
#[must_use]
pub fn query(id: u16, name: &Name, kind: Kind, edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + name.wire().len() + 4 + 11);
    for word in [id, QUERY_WITH_RECURSION, 1, 0, 0, u16::from(edns)] {
        out.extend(word.to_be_bytes());
    }
    out.extend_from_slice(name.wire());
    out.extend(kind.number().to_be_bytes());
    out.extend(INTERNET.to_be_bytes());
    if edns {
        out.push(0); // the owner of the OPT record is the root
        out.extend(OPT.to_be_bytes());
        out.extend(DATAGRAM.to_be_bytes());
        out.extend([0; 6]); // no extended code, version 0, no flags, no options
    }
    out
}

/// Returns true if `message` says only that the server could not parse the query with this `id`.
/// Old servers do not repeat the question in that case.
#[must_use]
pub fn is_bare_format_error(message: &[u8], id: u16) -> bool {
    let mut reader = Reader { message, at: 0 };
    let response = |flags| flags & RESPONSE != 0 && flags & 0xf == FORMAT_ERROR;
    reader.u16() == Ok(id) && reader.u16().is_ok_and(response) && reader.u16() == Ok(0)
}

/// Reasons why bytes are not a valid response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The message ends too early, or the length of a record does not match its content.
    Length,
    /// A name is too long, or a pointer does not point backwards.
    Name,
    /// The message is not a response, or does not have exactly one question.
    NotAnAnswer,
}

/// Decoded response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Id of the query.
    pub id: u16,
    /// True if the message was truncated. The records are not decoded then.
    pub truncated: bool,
    /// True if the server resolves names recursively.
    pub recursion: bool,
    /// Response code, with its extension (RFC 6891 §6.1.3).
    pub code: u16,
    /// Queried name, in the spelling that the server repeated.
    pub name: Name,
    /// Type and class of the question.
    pub question: (u16, u16),
    /// Records of the answer section.
    pub answers: Vec<Record>,
    /// Records of the authority section.
    pub authority: Vec<Record>,
}

/// Record of class IN, of a type that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name that the record belongs to.
    pub owner: Name,
    /// Lifetime in seconds.
    pub ttl: u32,
    /// Content of the record.
    pub data: Data,
}

/// Content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// Target of an alias.
    Cname(Name),
    /// Start of a zone, with the time in seconds for which the absence of a name in it holds (RFC
    /// 2308 §4).
    Soa(u32),
}

impl Response {
    /// Decodes the response to one question. Bytes after its last record are ignored.
    ///
    /// # Errors
    /// The reason, if `message` is not a valid response.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        Unread::begin(message)?.finish()
    }

    /// Returns true if the response repeats the question for `name` and `kind`, in any case.
    #[must_use]
    pub fn is_about(&self, name: &Name, kind: Kind) -> bool {
        self.question == (kind.number(), INTERNET) && self.name == *name
    }
}

/// Response whose question was decoded, but not yet its records.
#[derive(Debug)]
pub(super) struct Unread<'a> {
    response: Response,
    counts: [u16; 3],
    reader: Reader<'a>,
}

impl<'a> Unread<'a> {
    /// Decodes the header and the question.
    pub(super) fn begin(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { message, at: 0 };
        let id = reader.u16()?;
        let flags = reader.u16()?;
        let questions = reader.u16()?;
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?];
        if flags & RESPONSE == 0 || flags & OPCODE != 0 || questions != 1 {
            return Err(Malformed::NotAnAnswer);
        }
        let name = reader.name()?;
        let question = (reader.u16()?, reader.u16()?);
        let response = Response {
            id,
            truncated: flags & TRUNCATED != 0,
            recursion: flags & RECURSION_AVAILABLE != 0,
            code: flags & 0xf,
            name,
            question,
            answers: Vec::new(),
            authority: Vec::new(),
        };
        Ok(Self { response, counts, reader })
    }

    /// Returns the header and the question, without records.
    pub(super) const fn head(&self) -> &Response {
        &self.response
    }

    /// Decodes the records, unless the message was truncated.
    pub(super) fn finish(self) -> Result<Response, Malformed> {
        let Self { mut response, counts: [answers, authority, additional], mut reader } = self;
        if !response.truncated {
            let kind = response.question.0;
            response.answers = reader.records(answers, Wanted::answers(kind), &mut None)?;
            response.authority = reader.records(authority, Wanted::authority(), &mut None)?;
            let mut extended = None;
            reader.records(additional, Wanted::NOTHING, &mut extended)?;
            response.code |= extended.unwrap_or(0) << 4;
        }
        Ok(response)
    }
}

/// Numbers of records still to read from a section.
#[derive(Debug)]
struct Wanted {
    /// Type of the address records.
    kind: u16,
    addresses: usize,
    cnames: usize,
    soas: usize,
}

impl Wanted {
    const NOTHING: Self = Self { kind: 0, addresses: 0, cnames: 0, soas: 0 };

    const fn answers(kind: u16) -> Self {
        let addresses = if matches!(kind, A | AAAA) { MOST_ADDRESS_RECORDS } else { 0 };
        Self { kind, addresses, cnames: MOST_CNAME_RECORDS, ..Self::NOTHING }
    }

    const fn authority() -> Self {
        Self { soas: MOST_SOA_RECORDS, ..Self::NOTHING }
    }

    /// Returns true if a record of this type is to be read, and counts it.
    fn take(&mut self, kind: u16) -> bool {
        let left = match kind {
            CNAME => &mut self.cnames,
            SOA => &mut self.soas,
            _ if kind == self.kind => &mut self.addresses,
            _ => return false,
        };
        let wanted = *left > 0;
        *left = left.saturating_sub(1);
        wanted
    }
}

#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.message.get(self.at..).and_then(|rest| rest.get(..length));
        self.at += length;
        bytes.ok_or(Malformed::Length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Length)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Decodes a name, following compression pointers (RFC 1035 §4.1.4). Each pointer has to lead
    /// to before the start of the part that it ends, so that following them terminates.
    fn name(&mut self) -> Result<Name, Malformed> {
        let (mut wire, mut part, mut pointers, mut after) = (Vec::new(), self.at, 0, None);
        loop {
            let [first] = self.array()?;
            match first {
                0 => break,
                1..=0x3f => {
                    wire.push(first);
                    wire.extend_from_slice(self.take(usize::from(first))?);
                    if wire.len() >= LONGEST {
                        return Err(Malformed::Name);
                    }
                }
                0xc0..=0xff => {
                    let [low] = self.array()?;
                    let target = usize::from(u16::from_be_bytes([first & 0x3f, low]));
                    pointers += 1;
                    if target >= part || pointers > MOST_POINTERS {
                        return Err(Malformed::Name);
                    }
                    after.get_or_insert(self.at);
                    (self.at, part) = (target, target);
                }
                _ => return Err(Malformed::Name), // reserved
            }
        }
        count(wire.len() + pointers + LOOK_UP);
        wire.push(0);
        self.at = after.unwrap_or(self.at);
        Ok(Name::from_wire(wire))
    }

    /// Skips a name without following its compression.
    fn skip_name(&mut self) -> Result<(), Malformed> {
        loop {
            count(1);
            match self.array()? {
                [0] => return Ok(()),
                [length @ 1..=0x3f] => drop(self.take(usize::from(length))?),
                [0xc0..=0xff] => return self.take(1).map(drop),
                _ => return Err(Malformed::Name), // reserved
            }
        }
    }

    /// Decodes `count` records and returns those that are wanted. Sets `extended` to the extended
    /// response code if there is an OPT record.
    fn records(
        &mut self,
        count: u16,
        mut wanted: Wanted,
        extended: &mut Option<u16>,
    ) -> Result<Vec<Record>, Malformed> {
        let mut records = Vec::new();
        for _ in 0..count {
            let mut owner = *self;
            self.skip_name()?;
            let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
            let length = usize::from(self.u16()?);
            if class == INTERNET && wanted.take(kind) {
                let end = self.at + length;
                let (owner, data) = (owner.name()?, self.data(kind)?);
                if self.at != end {
                    return Err(Malformed::Length);
                }
                // RFC 2181 §8: a lifetime with the highest bit set counts as zero.
                let ttl = i32::try_from(ttl).map_or(0, i32::unsigned_abs);
                records.push(Record { owner, ttl, data });
                continue;
            }
            if kind == OPT {
                extended.get_or_insert(u16::from(ttl.to_be_bytes()[0]));
            }
            self.take(length)?;
        }
        Ok(records)
    }

    /// Decodes the content of a wanted record of this type.
    fn data(&mut self, kind: u16) -> Result<Data, Malformed> {
        Ok(match kind {
            CNAME => Data::Cname(self.name()?),
            SOA => {
                self.skip_name()?;
                self.skip_name()?;
                self.take(16)?; // serial, refresh, retry, expire
                Data::Soa(self.u32()?)
            }
            AAAA => Data::Address(Ipv6Addr::from(self.array::<16>()?).into()),
            _ => Data::Address(Ipv4Addr::from(self.array::<4>()?).into()),
        })
    }
}
