//! Version 1: a line of text (§2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::{self, FromStr};

use super::error::{HeaderError, Stop};
use super::header::Header;

/// Length of the longest line, with CR LF.
const MAX_LINE: usize = 107;
/// Length of the longest address: eight groups of four digits.
const MAX_ADDRESS: usize = 39;
/// Texts of which at least one completes any valid beginning of an address, in the shortest way.
const ENDINGS: &[&str] = &["", "0", ":", "::", ".0", "0.0", ".0.0", "0.0.0", ".0.0.0", "0.0.0.0"];

/// Parses a line. Returns its content and its length.
///
/// IPv6 addresses may end in an IPv4 address in dotted form, which §2.1 does not mention:
/// `inet_ntop(3)` writes IPv4-mapped addresses like that, and so do senders.
pub(super) fn parse(bytes: &[u8]) -> Result<(Header, usize), Stop> {
    let line = &bytes[..bytes.len().min(MAX_LINE)];
    let mut rest = Rest(line);
    rest.one_of(&[b"PROXY "], HeaderError::Signature)?;
    let protocol = rest.one_of(&[b"TCP4 ", b"TCP6 ", b"UNKNOWN"], HeaderError::Protocol)?;
    let header = match protocol {
        b"TCP4 " => rest.addresses::<Ipv4Addr>()?,
        b"TCP6 " => rest.addresses::<Ipv6Addr>()?,
        _ => rest.unknown()?,
    };
    Ok((header, line.len() - rest.0.len()))
}

/// Bytes of the line that were not parsed yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Takes one of `words`, none of which is the beginning of another.
    fn one_of(
        &mut self,
        words: &[&'static [u8]],
        otherwise: HeaderError,
    ) -> Result<&'static [u8], Stop> {
        for word in words {
            if let Some(rest) = self.0.strip_prefix(*word) {
                self.0 = rest;
                return Ok(word);
            }
        }
        let is_begun = words.iter().any(|word| word.starts_with(self.0));
        Err(if is_begun { Stop::Incomplete } else { otherwise.into() })
    }

    /// Takes the bytes before `end`, and `end` itself. Returns all bytes, and false, if `end` has
    /// not arrived.
    fn until(&mut self, end: u8) -> (&'a [u8], bool) {
        let found = self.0.iter().position(|&byte| byte == end);
        let taken = &self.0[..found.unwrap_or(self.0.len())];
        self.0 = found.map_or(&[], |at| &self.0[at + 1..]);
        (taken, found.is_some())
    }

    /// Takes addresses, ports and the end of the line.
    fn addresses<T: FromStr + Into<IpAddr>>(&mut self) -> Result<Header, Stop> {
        let (source, destination) = (self.address::<T>()?, self.address::<T>()?);
        let (source_port, destination_port) = (self.port(b' ')?, self.port(b'\r')?);
        self.one_of(&[b"\n"], HeaderError::LineEnd)?;
        Ok(Header {
            source: Some(SocketAddr::new(source, source_port)),
            destination: Some(SocketAddr::new(destination, destination_port)),
            tls: None,
        })
    }

    fn address<T: FromStr + Into<IpAddr>>(&mut self) -> Result<IpAddr, Stop> {
        let (text, is_whole) = self.until(b' ');
        if is_whole {
            let address: T = joined(text, "").ok_or(HeaderError::Address)?;
            return Ok(address.into().to_canonical());
        }
        let is_begun = ENDINGS.iter().any(|ending| joined::<T>(text, ending).is_some());
        Err(if is_begun { Stop::Incomplete } else { HeaderError::Address.into() })
    }

    fn port(&mut self, end: u8) -> Result<u16, Stop> {
        match self.until(end) {
            (b"", false) => Err(Stop::Incomplete),
            (text, is_whole) => {
                let port = port(text).ok_or(HeaderError::Port)?;
                if is_whole { Ok(port) } else { Err(Stop::Incomplete) }
            }
        }
    }

    /// Takes the rest of the line, which is ignored.
    fn unknown(&mut self) -> Result<Header, Stop> {
        // Bytes of the longest line behind 'PROXY UNKNOWN'.
        const ROOM: usize = MAX_LINE - 13;
        let text = self.0.iter().take_while(|&&byte| byte != b'\r' && byte != b'\n').count();
        if text > 0 && self.0[0] != b' ' {
            return Err(HeaderError::Protocol.into());
        }
        if text + 2 > ROOM {
            return Err(HeaderError::LineTooLong.into());
        }
        self.0 = &self.0[text..];
        self.one_of(&[b"\r\n"], HeaderError::LineEnd)?;
        Ok(Header::default())
    }
}

/// Parses `text` and `ending` together as an address.
fn joined<T: FromStr>(text: &[u8], ending: &str) -> Option<T> {
    let mut address = [0; MAX_ADDRESS];
    let length = text.len() + ending.len();
    address.get_mut(..text.len())?.copy_from_slice(text);
    address.get_mut(text.len()..length)?.copy_from_slice(ending.as_bytes());
    str::from_utf8(&address[..length]).ok()?.parse().ok()
}

fn port(text: &[u8]) -> Option<u16> {
    let is_number = text.iter().all(u8::is_ascii_digit);
    let is_canonical = text.len() == 1 || text.first() != Some(&b'0');
    let port = || str::from_utf8(text).ok()?.parse().ok();
    if is_number && is_canonical { port() } else { None }
}
