//! Writing headers.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::header::Version;
use super::v2::SIGNATURE;

/// Version 2, and the command that forwards the connection of a client.
const PROXY: u8 = 0x21;
/// Version 2, and the command for a connection without a client.
const LOCAL: u8 = 0x20;
/// Families with the protocol TCP.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Appends a header to `out`. It has up to 104 bytes in version 1, and up to 52 in version 2.
///
/// IPv4-mapped IPv6 addresses are written as IPv4 addresses. If only one address is of IPv4, it is
/// written as an IPv4-mapped one, in hexadecimal groups. An unspecified address (`0.0.0.0` or `::`),
/// which the reactor reports for Unix sockets, is no address of a client: the header is UNKNOWN or
/// LOCAL then, so that the receiver uses the addresses of the connection itself. Flow labels and
/// scopes of IPv6 addresses are not written.
pub fn write(out: &mut Vec<u8>, version: Version, source: SocketAddr, destination: SocketAddr) {
    let ports = [source.port(), destination.port()];
    let addresses = [source, destination].map(|end| end.ip().to_canonical());
    let is_unknown = addresses.iter().any(IpAddr::is_unspecified);
    match (version, addresses) {
        (Version::V1, _) if is_unknown => out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        (Version::V1, [IpAddr::V4(source), IpAddr::V4(destination)]) => {
            line(out, format_args!("TCP4 {source} {destination}"), ports);
        }
        (Version::V1, _) => {
            let [source, destination] = addresses.map(text);
            line(out, format_args!("TCP6 {source} {destination}"), ports);
        }
        (Version::V2, _) if is_unknown => binary(out, LOCAL, 0, &[], &[]),
        (Version::V2, [IpAddr::V4(source), IpAddr::V4(destination)]) => {
            let addresses = [source.octets(), destination.octets()];
            binary(out, PROXY, TCP4, addresses.as_flattened(), &ports);
        }
        (Version::V2, _) => {
            let addresses = addresses.map(|address| wide(address).octets());
            binary(out, PROXY, TCP6, addresses.as_flattened(), &ports);
        }
    }
}

fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Returns the text of an IPv6 address without the dotted form, which §2.1 does not mention.
fn text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let [high, low] = [[a, b], [c, d]].map(u16::from_be_bytes);
            format!("::ffff:{high:x}:{low:x}")
        }
        IpAddr::V6(address) => address.to_string(),
    }
}

fn line(out: &mut Vec<u8>, addresses: std::fmt::Arguments<'_>, [source, destination]: [u16; 2]) {
    let mut line = String::with_capacity(108);
    let written = write!(line, "PROXY {addresses} {source} {destination}\r\n");
    debug_assert!(written.is_ok(), "a string takes any text");
    out.extend_from_slice(line.as_bytes());
}

fn binary(out: &mut Vec<u8>, command: u8, family: u8, addresses: &[u8], ports: &[u16]) {
    #[expect(clippy::cast_possible_truncation, reason = "at most 36 bytes")]
    let length = (addresses.len() + 2 * ports.len()) as u16;
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[command, family]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(addresses);
    out.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
}
