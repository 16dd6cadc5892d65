//! PROXY headers: the result does not depend on how the bytes arrive, and what is read can be
//! written again.

use std::net::SocketAddr;

use tidegate::proxy_protocol::{Header, HeaderError, MAX_HEADER, Parsed, Version, parse, write};

/// Prefixes of longer inputs that are checked one by one.
const EACH: usize = 300;

/// Checks any bytes as the first bytes of a connection.
pub fn rules(bytes: &[u8]) {
    let result = parse(bytes);
    let prefixes = (0..bytes.len().min(EACH)).chain([bytes.len().saturating_sub(1)]);
    for length in prefixes {
        let begun = parse(&bytes[..length]);
        match (begun, result) {
            (Ok(Parsed::Incomplete), Ok(Parsed::Header { length: whole, .. })) => {
                assert!(length < whole, "a header is read as soon as it is complete");
            }
            (Ok(Parsed::Incomplete), _) => {}
            (begun, result) => assert_eq!(begun, result, "{length} bytes decide for all"),
        }
    }
    match result {
        Ok(Parsed::Incomplete) => check_continuation(bytes),
        Ok(Parsed::Header { header, length }) => {
            assert!(length <= bytes.len() && length <= MAX_HEADER);
            assert_eq!(parse(&bytes[..length]), result);
            check_addresses(&header);
        }
        Err(error) => assert!(error.to_string().contains("PROXY header was expected")),
    }
}

/// Checks that some byte continues the header. A wrong checksum is noticed at the end only.
fn check_continuation(begun: &[u8]) {
    assert!(begun.len() < MAX_HEADER);
    let continues = |byte| {
        let next = parse(&[begun, &[byte]].concat());
        next.is_ok() || next == Err(HeaderError::Checksum)
    };
    assert!((0..=255).any(continues), "incomplete without a continuation");
}

/// Writes the addresses in both versions and reads them again.
fn check_addresses(header: &Header) {
    let (Some(source), Some(destination)) = (header.source, header.destination) else {
        assert_eq!((header.source, header.destination), (None, None));
        return;
    };
    for version in [Version::V1, Version::V2] {
        let mut written = Vec::new();
        write(&mut written, version, source, destination);
        let length = written.len();
        let again = Header { tls: None, ..*header };
        let is_unknown = |end: &SocketAddr| end.ip().is_unspecified();
        let header = match [source, destination].iter().any(is_unknown) {
            true => Header::default(),
            false => again,
        };
        assert_eq!(parse(&written), Ok(Parsed::Header { header, length }));
    }
}
