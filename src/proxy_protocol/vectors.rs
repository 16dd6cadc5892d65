//! Type-length-value vectors behind the addresses of version 2 (§2.2.3 to §2.2.8).

use super::error::{HeaderError, Stop};
use super::header::{ClientTls, MAX_HEADER};

const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;

/// Bytes of type and length.
const FIXED: usize = 3;
/// Bytes of an SSL vector before the vectors within it.
const SSL_FIXED: usize = 5;
/// Flag of the SSL vector: the client connected over TLS.
const CLIENT_SSL: u8 = 0x01;
/// Flags of the SSL vector: the client presented a certificate, now or earlier in the session.
const CLIENT_CERT: u8 = 0x02 | 0x04;

/// Content of vectors. Types without a use here are skipped.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) tls: Option<ClientTls>,
    /// Place of the checksum behind the addresses.
    pub(super) checksum: Option<usize>,
}

/// Returns true if vectors may fill `length` bytes.
pub(super) const fn may_fill(length: usize) -> bool {
    length == 0 || length >= FIXED
}

/// Reads vectors that have `length` bytes together, of which `bytes` have arrived.
pub(super) fn read(bytes: &[u8], length: usize) -> Result<Extensions, Stop> {
    let mut found = Extensions::default();
    let mut rest = Rest { bytes, left: length };
    while rest.left > 0 {
        let at = length - rest.left + FIXED;
        let kind = rest.kind()?;
        let is_repeated = match kind {
            CRC32C => found.checksum.is_some(),
            SSL => found.tls.is_some(),
            _ => false,
        };
        if is_repeated {
            return Err(HeaderError::Repeated.into());
        }
        let (value, length) = rest.value(|length| may_have(kind, length))?;
        match kind {
            CRC32C => found.checksum = Some(at),
            SSL => found.tls = Some(client_tls(value, length)?),
            _ => {}
        }
        complete(value, length)?;
    }
    Ok(found)
}

/// Returns true if a vector of this type may have a value of `length` bytes.
const fn may_have(kind: u8, length: usize) -> bool {
    match kind {
        CRC32C => length == 4,
        UNIQUE_ID => length <= 128,
        SSL => length >= SSL_FIXED && may_fill(length - SSL_FIXED),
        _ => true,
    }
}

/// Reads the value of an SSL vector, which has `length` bytes.
fn client_tls(value: &[u8], length: usize) -> Result<ClientTls, Stop> {
    let Some((&[flags, verify @ ..], within)) = value.split_first_chunk::<SSL_FIXED>() else {
        return Err(Stop::Incomplete);
    };
    let mut rest = Rest { bytes: within, left: length - SSL_FIXED };
    while rest.left > 0 {
        rest.kind()?;
        let (value, length) = rest.value(|_| true)?;
        complete(value, length)?;
    }
    let is_used = flags & CLIENT_SSL != 0;
    let is_verified = is_used && flags & CLIENT_CERT != 0 && verify == [0; 4];
    Ok(ClientTls { is_used, is_verified })
}

const fn complete(value: &[u8], length: usize) -> Result<(), Stop> {
    if value.len() == length { Ok(()) } else { Err(Stop::Incomplete) }
}

/// Vectors that were not read yet.
struct Rest<'a> {
    /// Bytes that have arrived.
    bytes: &'a [u8],
    /// Bytes of all vectors, arrived or not: none, or at least those of type and length.
    left: usize,
}

impl<'a> Rest<'a> {
    /// Returns the type of the next vector.
    fn kind(&self) -> Result<u8, Stop> {
        self.bytes.first().copied().ok_or(Stop::Incomplete)
    }

    /// Takes a vector whose type has arrived, with a length for which `may_be` is true. Returns as
    /// much of its value as has arrived, and the length of the value.
    fn value(&mut self, may_be: impl Fn(usize) -> bool) -> Result<(&'a [u8], usize), Stop> {
        let room = self.left - FIXED;
        let length = length(&self.bytes[1..], HeaderError::Vector, |length| {
            length <= room && may_fill(room - length) && may_be(length)
        })?;
        let (value, rest) = self.bytes[FIXED..].split_at(length.min(self.bytes.len() - FIXED));
        (self.bytes, self.left) = (rest, room - length);
        Ok((value, length))
    }
}

/// Reads the length at the start of `bytes`, whose two bytes may not have arrived yet.
///
/// # Errors
/// `Incomplete`; `otherwise` if `may_be` is false for the length, or for each that the missing bytes
/// can give.
pub(super) fn length(
    bytes: &[u8],
    otherwise: HeaderError,
    may_be: impl Fn(usize) -> bool,
) -> Result<usize, Stop> {
    let (least, most) = match *bytes {
        [] => ([0, 0], [0xff, 0xff]),
        [high] => ([high, 0], [high, 0xff]),
        [high, low, ..] => ([high, low], [high, low]),
    };
    let [least, most] = [least, most].map(|bytes| usize::from(u16::from_be_bytes(bytes)));
    if !(least..=most.min(MAX_HEADER)).any(may_be) {
        return Err(otherwise.into());
    }
    if bytes.len() < 2 { Err(Stop::Incomplete) } else { Ok(least) }
}
