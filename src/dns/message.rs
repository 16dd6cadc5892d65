//! Messages (RFC 1035 §4.1): queries are written, responses read.
//!
//! Messages may hold anything. A name is bounded, with the compression pointers that lead through it,
//! and each of them leads strictly backwards; what a record says of its length must be so. Of each
//! kind of records, only so many are read as a name may need, and the others are passed over. So the
//! work that a message makes is bounded by its length and a constant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::work::{LOOK_UP, count};

use super::bounds::{LONGEST_CHAIN, MOST_ADDRESSES};
use super::name::{LONGEST, Name};
use super::problem::FORMAT_ERROR;

/// What fits into a datagram on any path without fragments (DNS Flag Day 2020; RFC 9715 §3.1).
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

/// Pointers in one name: each can only save a label, of which there are no more.
const MOST_POINTERS: usize = LONGEST / 2;
/// Records of addresses that are read of one message: twice as many as are taken, as some may be
/// doubled.
const MOST_ADDRESS_RECORDS: usize = 2 * MOST_ADDRESSES;
/// CNAME records that are read of one message.
const MOST_CNAME_RECORDS: usize = 2 * LONGEST_CHAIN;
/// SOA records that are read of one message: a negative answer has one.
const MOST_SOA_RECORDS: usize = 4;

/// The kinds of addresses that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4.
    A,
    /// IPv6 (RFC 3596).
    Aaaa,
}

impl Kind {
    /// The number that means it in a message.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::A => A,
            Self::Aaaa => AAAA,
        }
    }
}

/// A query for one name and kind; with `edns`, the server may answer up to [`DATAGRAM`] octets
/// (RFC 6891) instead of 512.
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
        out.push(0); // the root, whose record this is
        out.extend(OPT.to_be_bytes());
        out.extend(DATAGRAM.to_be_bytes());
        out.extend([0; 6]); // no extended code, version 0, no flags, no options
    }
    out
}

/// Whether `message` says only that the server could not read the query called `id`: old ones do not
/// repeat the question then.
#[must_use]
pub fn is_bare_format_error(message: &[u8], id: u16) -> bool {
    let mut reader = Reader { message, at: 0 };
    let response = |flags| flags & RESPONSE != 0 && flags & 0xf == FORMAT_ERROR;
    reader.u16() == Ok(id) && reader.u16().is_ok_and(response) && reader.u16() == Ok(0)
}

/// What is wrong with bytes that should be a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends too early, or a record is shorter or longer than it says.
    Length,
    /// A name is too long, or a pointer does not lead backwards.
    Name,
    /// It is no response, or not to one question.
    NotAnAnswer,
}

/// A response, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The id of the query.
    pub id: u16,
    /// Whether it was cut short. The records are not read then.
    pub truncated: bool,
    /// Whether the server looks up names that are not its own.
    pub recursion: bool,
    /// The response code, with its extension (RFC 6891 §6.1.3).
    pub code: u16,
    /// The name asked for, in the case in which the server has repeated it.
    pub name: Name,
    /// The number of the kind asked for, and of the class.
    pub question: (u16, u16),
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
}

/// A record of class IN, of a kind that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub owner: Name,
    /// For how many seconds it holds.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// The name it stands for.
    Cname(Name),
    /// Where a zone begins: for how many seconds it holds that a name in it does not exist
    /// (RFC 2308 §4).
    Soa(u32),
}

impl Response {
    /// Reads a message that should be the response to one question. What stands behind its records
    /// is not looked at.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        Unread::begin(message)?.finish()
    }

    /// Returns true if it repeats the question for `name` and `kind`, in any case.
    #[must_use]
    pub fn is_about(&self, name: &Name, kind: Kind) -> bool {
        self.question == (kind.number(), INTERNET) && self.name == *name
    }
}

/// A response of which the question was read, and the records were not.
#[derive(Debug)]
pub(super) struct Unread<'a> {
    response: Response,
    counts: [u16; 3],
    reader: Reader<'a>,
}

impl<'a> Unread<'a> {
    /// Reads the head and the question.
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

    /// Returns the head and the question, without records.
    pub(super) const fn head(&self) -> &Response {
        &self.response
    }

    /// Reads the records, unless some were cut off.
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

/// Records that are still to be read of a section.
#[derive(Debug)]
struct Wanted {
    /// Kind of the addresses.
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

    /// Returns true if a record of that kind is to be read.
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

    /// Reads a name, whose compression is followed (RFC 1035 §4.1.4). Each pointer leads before where
    /// the part of the name began that it ends, so there is an end to them.
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

    /// Passes over a name, whose compression is not followed.
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

    /// Reads `count` records and returns those that are wanted. The extended response code is put
    /// into `extended` if there is an OPT record.
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
                // RFC 2181 §8: one with the highest bit set counts as zero.
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

    /// Reads what a record of this kind says, which is one that is wanted.
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
