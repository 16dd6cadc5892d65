//! Detection of the version.

use crate::work::count;

use super::error::{HeaderError, Stop};
use super::header::{MAX_HEADER, Parsed};
use super::{v1, v2};

/// Parses the header at the start of `bytes`, which are the first bytes of a connection.
///
/// Returns [`Parsed::Incomplete`] exactly if more bytes can make a valid header: call again with
/// all bytes once more have arrived. Checksums are the exception, because they are verified once
/// the header is complete. Bytes beyond [`MAX_HEADER`] are never necessary.
///
/// # Errors
/// Returns the rule that the bytes break, as soon as no continuation can be valid.
pub fn parse(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    let bytes = &bytes[..bytes.len().min(MAX_HEADER)];
    count(bytes.len());
    let parsed = match bytes.first() {
        None => Err(Stop::Incomplete),
        Some(b'P') => v1::parse(bytes),
        Some(_) => v2::parse(bytes),
    };
    match parsed {
        Ok((header, length)) => Ok(Parsed::Header { header, length }),
        Err(Stop::Incomplete) => Ok(Parsed::Incomplete),
        Err(Stop::Invalid(error)) => Err(error),
    }
}
