//! Version 2: binary fields (§2.2).

use std::net::{IpAddr, SocketAddr};

use super::checksum;
use super::error::{HeaderError, Stop};
use super::header::{Header, MAX_HEADER};
use super::vectors::{self, Extensions};

/// Bytes with which the header begins.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
pub(super) const FIXED: usize = 16;

/// Content of the bytes that the length counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Anything.
    Ignored,
    /// Addresses of four bytes, then vectors.
    V4,
    /// Addresses of sixteen bytes, then vectors.
    V6,
    /// Paths of Unix sockets, then vectors.
    Unix,
}

impl Block {
    /// Returns the block of a family and protocol. All assigned families without a transport
    /// protocol, and the unspecified family, are valid and ignored.
    const fn of(family: u8) -> Result<Self, HeaderError> {
        match (family >> 4, family & 15) {
            (4.., _) | (_, 3..) => Err(HeaderError::Family),
            (_, 2) => Err(HeaderError::Datagrams),
            (0, _) | (_, 0) => Ok(Self::Ignored),
            (1, _) => Ok(Self::V4),
            (2, _) => Ok(Self::V6),
            (3, _) => Ok(Self::Unix),
        }
    }

    /// Returns the length of the addresses and ports.
    const fn addresses(self) -> usize {
        match self {
            Self::Ignored => 0,
            Self::V4 => 2 * (4 + 2),
            Self::V6 => 2 * (16 + 2),
            Self::Unix => 2 * 108,
        }
    }

    /// Returns true if a block of this kind may have `length` bytes.
    fn may_have(self, length: usize) -> bool {
        let vectors = length.checked_sub(self.addresses());
        let fits = vectors.is_some_and(|left| self == Self::Ignored || vectors::may_fill(left));
        fits && FIXED + length <= MAX_HEADER
    }

    fn header(self, block: &[u8]) -> Header {
        let address = |at: usize| match self {
            Self::V4 => array::<4>(block, 4 * at).map(IpAddr::from),
            Self::V6 => array::<16>(block, 16 * at).map(IpAddr::from),
            Self::Ignored | Self::Unix => None,
        };
        let end = |at: usize| {
            let port = array(block, self.addresses() - 4 + 2 * at).map(u16::from_be_bytes)?;
            Some(SocketAddr::new(address(at)?.to_canonical(), port))
        };
        match self {
            Self::V4 | Self::V6 => Header { source: end(0), destination: end(1), tls: None },
            Self::Ignored | Self::Unix => Header::default(),
        }
    }
}

/// Parses a header. Returns its content and its length.
pub(super) fn parse(bytes: &[u8]) -> Result<(Header, usize), Stop> {
    let begun = bytes.len().min(SIGNATURE.len());
    if bytes[..begun] != SIGNATURE[..begun] {
        return Err(HeaderError::Signature.into());
    }
    let block = match byte(bytes, SIGNATURE.len())? {
        command if command >> 4 != 2 => return Err(HeaderError::Version.into()),
        command if command & 15 == 0 => {
            byte(bytes, SIGNATURE.len() + 1)?; // LOCAL: the family is ignored
            Block::Ignored
        }
        command if command & 15 == 1 => Block::of(byte(bytes, SIGNATURE.len() + 1)?)?,
        _ => return Err(HeaderError::Command.into()),
    };
    let length =
        vectors::length(&bytes[FIXED - 2..], HeaderError::Length, |length| block.may_have(length))?;
    let bytes = &bytes[..bytes.len().min(FIXED + length)];
    let is_whole = bytes.len() == FIXED + length;
    let vectors = FIXED + block.addresses();
    let extensions = match bytes.get(vectors..) {
        Some(_) if block == Block::Ignored => Extensions::default(),
        Some(received) => vectors::read(received, FIXED + length - vectors)?,
        None => return Err(Stop::Incomplete),
    };
    if !is_whole {
        return Err(Stop::Incomplete);
    }
    if let Some(at) = extensions.checksum
        && !checksum::is_right(bytes, vectors + at)
    {
        return Err(HeaderError::Checksum.into());
    }
    let header = Header { tls: extensions.tls, ..block.header(&bytes[FIXED..]) };
    Ok((header, bytes.len()))
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, Stop> {
    bytes.get(at).copied().ok_or(Stop::Incomplete)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
