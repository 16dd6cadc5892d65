//! Headers of both versions, whole, in parts and damaged.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::checksum::crc32c;
use super::{ClientTls, Header, HeaderError, MAX_HEADER, Parsed, Version, parse, write};

const INCOMPLETE: Result<Parsed, HeaderError> = Ok(Parsed::Incomplete);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn header(source: &str, destination: &str) -> Header {
    let [source, destination] = [source, destination].map(|text| Some(address(text)));
    Header { source, destination, tls: None }
}

/// Asserts that the bytes are a header, whatever follows, and that no part of them is one.
#[track_caller]
fn expect(bytes: &[u8], header: Header) {
    for end in 0..bytes.len() {
        assert_eq!(parse(&bytes[..end]), INCOMPLETE, "{end} bytes");
    }
    let parsed = Ok(Parsed::Header { header, length: bytes.len() });
    assert_eq!(parse(bytes), parsed);
    assert_eq!(parse(&[bytes, b"GET / HTTP/1.1\r\n"].concat()), parsed);
}

/// Asserts that the bytes break a rule, and that they do not without the last one.
#[track_caller]
fn refuse(bytes: &[u8], error: HeaderError) {
    assert_eq!(parse(bytes), Err(error));
    assert_eq!(parse(&bytes[..bytes.len() - 1]), INCOMPLETE, "the error is found at once");
}

/// Returns a binary header with a length that counts the parts.
fn binary(command: u8, family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let block = parts.concat();
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, &block].concat()
}

fn vector(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

const V4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 1, 0xbb];

fn v4() -> Header {
    header("192.0.2.1:56324", "192.0.2.2:443")
}

#[test]
fn line_names_the_addresses() {
    expect(
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        header("192.168.0.1:56324", "192.168.0.11:443"),
    );
    expect(
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        header("255.255.255.255:65535", "255.255.255.255:65535"),
    );
    expect(b"PROXY TCP6 2001:db8::1 ::1 0 80\r\n", header("[2001:db8::1]:0", "[::1]:80"));
    let longest = b"PROXY TCP6 ffff:ffff:ffff:ffff:FFFF:ffff:ffff:ffff \
        ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    let end = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    expect(longest, header(end, end));
    for text in ["::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:192.0.2.1"] {
        let line = format!("PROXY TCP6 {text} 2001:db8:1:2:3:4:5:: 1 2\r\n");
        expect(line.as_bytes(), header("192.0.2.1:1", "[2001:db8:1:2:3:4:5:0]:2"));
    }
}

#[test]
fn line_may_be_unknown() {
    expect(b"PROXY UNKNOWN\r\n", Header::default());
    expect(b"PROXY UNKNOWN ffff::1 nonsense \0\r\n", Header::default());
    expect(format!("PROXY UNKNOWN {}\r\n", "f".repeat(91)).as_bytes(), Header::default());
    refuse(format!("PROXY UNKNOWN {}", "f".repeat(92)).as_bytes(), HeaderError::LineTooLong);
    refuse(b"PROXY UNKNOWNS", HeaderError::Protocol);
    refuse(b"PROXY UNKNOWN\n", HeaderError::LineEnd);
    refuse(b"PROXY UNKNOWN a\rb", HeaderError::LineEnd);
}

#[test]
fn line_is_exact() {
    use HeaderError::{Address, LineEnd, Port, Protocol, Signature};
    let lines: &[(&str, HeaderError)] = &[
        ("G", Signature),
        ("PO", Signature),
        ("PROXY\t", Signature),
        ("PROXY  ", Protocol),
        ("PROXY tc", Protocol),
        ("PROXY TCP5", Protocol),
        ("PROXY TCP4  ", Address),
        ("PROXY TCP4 01", Address),
        ("PROXY TCP4 256", Address),
        ("PROXY TCP4 1.2.3 ", Address),
        ("PROXY TCP4 1.2.3.4.", Address),
        ("PROXY TCP4 :", Address),
        ("PROXY TCP4 1.2.3.4\r", Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4  ", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 00", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 65536", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r", LineEnd),
        ("PROXY TCP6 1.", Address),
        ("PROXY TCP6 ::1%", Address),
        ("PROXY TCP6 12345", Address),
        ("PROXY TCP6 1::2::", Address),
        ("PROXY TCP6 :::", Address),
        ("PROXY TCP6 1:2:3:4:5:6:7:8:", Address),
        ("PROXY TCP6 1:2:3:4:5:6:7 ", Address),
        ("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.2550", Address),
        ("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.25", Address),
    ];
    for &(line, error) in lines {
        assert_eq!(parse(line.as_bytes()), Err(error), "{line:?}");
    }
}

#[test]
fn binary_header_names_the_addresses() {
    expect(&binary(0x21, 0x11, &[V4]), v4());
    let [source, destination] =
        ["2001:db8::1", "::ffff:192.0.2.2"].map(|text| text.parse::<std::net::Ipv6Addr>().unwrap());
    let block = [&source.octets()[..], &destination.octets(), &[0, 1, 0xff, 0xff]].concat();
    expect(&binary(0x21, 0x21, &[&block]), header("[2001:db8::1]:1", "192.0.2.2:65535"));
    expect(&binary(0x21, 0x31, &[&[b'/'; 216]]), Header::default());
}

#[test]
fn binary_header_may_lack_addresses() {
    expect(&binary(0x20, 0, &[]), Header::default());
    expect(&binary(0x20, 0xff, &[b"any"]), Header::default());
    expect(&binary(0x21, 0, &[b"?"]), Header::default());
    expect(&binary(0x21, 0x10, &[]), Header::default());
}

#[test]
fn binary_header_is_exact() {
    use HeaderError::{Command, Datagrams, Family, Length, Signature, Version};
    refuse(b"\r\n\r\n\0\r\nQUIT\r", Signature);
    refuse(&binary(0x11, 0, &[])[..13], Version);
    refuse(&binary(0x22, 0, &[])[..13], Command);
    for family in [0x41, 0x13, 0xf0] {
        refuse(&binary(0x21, family, &[])[..14], Family);
    }
    for family in [0x02, 0x12, 0x22, 0x32] {
        refuse(&binary(0x21, family, &[])[..14], Datagrams);
    }
    for length in [11, 13, 14] {
        refuse(&binary(0x21, 0x11, &[&vec![0; length]])[..16], Length);
    }
    refuse(&binary(0x20, 0, &[&[0; MAX_HEADER - 15]])[..16], Length);
    refuse(&binary(0x20, 0, &[&[0; MAX_HEADER]])[..15], Length);
    expect(&binary(0x20, 0, &[&[0; MAX_HEADER - 16]]), Header::default());
}

#[test]
fn vectors_stay_within_the_header() {
    let filled = |kind, value: &[u8]| binary(0x21, 0x11, &[V4, &vector(kind, value)]);
    for (kind, length) in [(1, 0), (2, 20), (4, 3000), (5, 128), (0xee, 1)] {
        expect(&filled(kind, &vec![7; length]), v4());
    }
    let beyond = |length: &[u8], left: usize| {
        let vectors = [&[4], length, &vec![0; left]].concat();
        binary(0x21, 0x11, &[V4, &vectors])[..31].to_vec()
    };
    expect(&binary(0x21, 0x11, &[V4, &[4, 0, 1, 0], &[4, 0, 0]]), v4());
    refuse(&beyond(&[0, 5], 4), HeaderError::Vector);
    refuse(&beyond(&[0, 3], 4), HeaderError::Vector); // one byte is left
    refuse(&beyond(&[0, 2], 4), HeaderError::Vector);
    refuse(&beyond(&[1, 0], 4)[..30], HeaderError::Vector);
    refuse(&filled(5, &[0; 129])[..31], HeaderError::Vector);
    refuse(&filled(3, &[0; 5])[..29], HeaderError::Vector); // no length leaves enough
}

#[test]
fn vector_tells_of_tls() {
    let tls = |flags: u8, verify: u8, within: &[u8]| {
        let value = [&[flags, 0, 0, 0, verify], within].concat();
        binary(0x21, 0x11, &[V4, &vector(0x20, &value)])
    };
    let version = vector(0x21, b"TLSv1.3");
    let with =
        |is_used, is_verified| Header { tls: Some(ClientTls { is_used, is_verified }), ..v4() };
    expect(&tls(1, 1, &version), with(true, false));
    expect(&tls(1, 0, &version), with(true, false));
    expect(&tls(3, 0, &version), with(true, true));
    expect(&tls(5, 0, &[version, vector(0x22, b"cn")].concat()), with(true, true));
    expect(&tls(7, 1, &[]), with(true, false));
    expect(&tls(0, 0, &[]), with(false, false));
    refuse(&tls(1, 0, &[0x21, 0, 1, 0, 0])[..39], HeaderError::Vector);
    refuse(&tls(1, 0, &[0])[..29], HeaderError::Vector);
    let twice = [vector(0x20, &[0; 5]), vector(0x20, &[0; 5])].concat();
    refuse(&binary(0x21, 0x11, &[V4, &twice])[..37], HeaderError::Repeated);
}

/// Sets the checksum of a header, whose place begins at `at`.
fn sign(mut header: Vec<u8>, at: usize) -> Vec<u8> {
    header[at..at + 4].fill(0);
    let checksum = crc32c(header.iter().copied()).to_be_bytes();
    header[at..at + 4].copy_from_slice(&checksum);
    header
}

#[test]
fn checksum_is_verified() {
    assert_eq!(
        crc32c(b"123456789".iter().copied()),
        0xe306_9283,
        "the check value of CRC-32/ISCSI"
    );
    let parts: [&[u8]; 3] = [V4, &vector(3, &[0; 4]), &vector(4, b"padding")];
    let signed = sign(binary(0x21, 0x11, &parts), 31);
    expect(&signed, v4());
    for at in (16..signed.len()).filter(|&at| at != 28) {
        // all bytes but the type of the checksum
        let mut damaged = signed.clone();
        damaged[at] ^= 0x10;
        assert!(parse(&damaged).is_err(), "byte {at}");
    }
    let mut damaged = signed;
    damaged[16] ^= 1;
    refuse(&damaged, HeaderError::Checksum);
}

#[test]
fn unknown_addresses_are_written_as_such() {
    let written = |version, source| {
        let mut out = Vec::new();
        write(&mut out, version, address(source), address("192.0.2.1:80"));
        out
    };
    assert_eq!(written(Version::V1, "0.0.0.0:0"), b"PROXY UNKNOWN\r\n");
    assert_eq!(written(Version::V2, "[::]:0"), binary(0x20, 0, &[]));
    let mixed = written(Version::V1, "[2001:db8::1]:1");
    assert_eq!(mixed, b"PROXY TCP6 2001:db8::1 ::ffff:c000:201 1 80\r\n");
    let mapped = written(Version::V1, "[::ffff:192.0.2.2]:1");
    assert_eq!(mapped, b"PROXY TCP4 192.0.2.2 192.0.2.1 1 80\r\n");
}

#[test]
fn errors_say_that_a_header_was_expected() {
    let text = HeaderError::Signature.to_string();
    assert!(text.starts_with("a PROXY header was expected: "), "{text}");
    assert!(HeaderError::ALL.iter().all(|error| error.name() == "proxy-header"));
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let sparse = prop::collection::vec(prop::sample::select(vec![0, 1, 0xffff, 0xc0de]), 8);
    let v6 = sparse.prop_map(|groups| IpAddr::from(<[u16; 8]>::try_from(groups).unwrap()));
    (prop_oneof![v4, v6, any::<[u8; 16]>().prop_map(IpAddr::from)], any::<u16>())
        .prop_filter("no address of a client", |(ip, _)| !ip.to_canonical().is_unspecified())
        .prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn headers() -> impl Strategy<Value = (Vec<u8>, Header)> {
    let vectors =
        prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..9)), 0..4);
    (addresses(), addresses(), any::<bool>(), vectors).prop_map(
        |(source, destination, is_text, vectors)| {
            let mut out = Vec::new();
            let version = if is_text { Version::V1 } else { Version::V2 };
            write(&mut out, version, source, destination);
            if !is_text {
                let plain = vectors.iter().filter(|(kind, _)| *kind != 3 && *kind != 0x20);
                out.extend(plain.flat_map(|(kind, value)| vector(*kind, value)));
                let length = u16::try_from(out.len() - 16).unwrap();
                out[14..16].copy_from_slice(&length.to_be_bytes());
            }
            let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
            let [source, destination] = [source, destination].map(|end| Some(canonical(end)));
            (out, Header { source, destination, tls: None })
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_each_part_is_incomplete((bytes, header) in headers()) {
        expect(&bytes, header);
    }

    #[test]
    fn any_change_is_a_header_or_an_error(
        (mut bytes, _) in headers(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"0 1:.\r\n/f"[..])],
        kind in 0..3,
    ) {
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => _ = bytes.remove(at),
        }
        let result = parse(&bytes);
        for end in 0..bytes.len() {
            let begun = parse(&bytes[..end]);
            prop_assert!(begun == INCOMPLETE || begun == result, "{} bytes", end);
        }
    }

    #[test]
    fn incomplete_headers_have_a_continuation(
        text in "(TCP6 )[0f:.]{0,40}|TCP4 [0-9.]{0,16}|TCP[46] [0f:.]{0,9} [0f:.]{0,20}[ 0-9]{0,9}",
    ) {
        let mut bytes = [b"PROXY ", text.as_bytes()].concat();
        while parse(&bytes) == INCOMPLETE {
            let next = |byte: &&u8| parse(&[&bytes[..], &[**byte]].concat()).is_ok();
            let order = b"\n\r0.: ";
            let next = order.iter().find(next);
            prop_assert!(next.is_some(), "{}", bytes.escape_ascii());
            bytes.extend(next);
        }
    }
}
