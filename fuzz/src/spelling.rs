//! Spellings of hosts: text that a resolver could take for an address is never a name.

use std::net::{IpAddr, Ipv4Addr};

use tidegate::access::{AddressClass, DestinationPolicy, Host, LocalAddresses};

use super::egress::check;

/// Checks any text as a host.
pub fn rules(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = Host::parse(text).ok();
    assert_eq!(read, model(text), "{text:?}");
    let Some(host) = read else { return };
    assert_eq!(
        Host::parse(&host.to_string()).as_ref(),
        Ok(&host),
        "a written host parses to the same host"
    );
    match host {
        Host::Name(_) => {
            for variant in [text, text.trim_end_matches('.')] {
                assert_eq!(aton(variant), None, "an address is not a name");
                assert!(variant.parse::<IpAddr>().is_err(), "an address is not a name");
            }
        }
        Host::Address(address) => {
            if let Ok(plain) = text.parse::<IpAddr>() {
                assert_eq!(address, plain, "the usual spelling keeps its meaning");
            }
            check_decision(&host, address);
        }
    }
}

/// Addresses that are not global are denied, on this machine and on one without addresses.
/// IPv4-mapped addresses are classified as the IPv4 address.
fn check_decision(host: &Host, address: IpAddr) {
    let policy = DestinationPolicy::default();
    let class = AddressClass::of(address);
    let checked = policy.check_special_address(host, address);
    assert_eq!(checked.is_ok(), class == AddressClass::Global);
    let nowhere = check(&policy, host, address, &LocalAddresses::default());
    assert_eq!(nowhere, checked);
    let here = LocalAddresses { addresses: vec![address.to_canonical()], listeners: Vec::new() };
    assert!(check(&policy, host, address, &here).is_err());
    if let IpAddr::V4(v4) = address {
        assert_eq!(AddressClass::of(v4.to_ipv6_mapped().into()), class);
    }
}

/// Parses a host in another way than the crate does.
fn model(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, after) = inner.split_once(']')?;
        let v6 = inner.parse().ok()?;
        return after.is_empty().then_some(Host::Address(IpAddr::V6(v6)));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let mut labels = name.split('.');
    let well_formed = labels.clone().all(|label| {
        let known = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
        (1..64).contains(&label.len()) && label.chars().all(known)
    });
    if !well_formed || name.len() > 253 {
        return None; // even for numbers that other parsers accept
    }
    if let Some(v4) = aton(&name) {
        return Some(Host::Address(v4.into()));
    }
    let last = labels.next_back()?;
    let prefixed = [("0x", 16), ("0b", 2), ("0o", 8)].into_iter().any(|(prefix, radix)| {
        let digits = last.strip_prefix(prefix);
        digits.is_some_and(|digits| digits.chars().all(|c| c.is_digit(radix)))
    });
    let numeric = prefixed || !last.contains(|c: char| c.is_ascii_alphabetic());
    (!numeric).then_some(Host::Name(name))
}

/// Parses as `inet_aton(3)` of the BSDs, which differs from others only in reading `0x` as 0: one
/// pass over the characters, number by number.
fn aton(text: &str) -> Option<Ipv4Addr> {
    let mut rest = text.as_bytes();
    let mut parts: Vec<u64> = Vec::new();
    loop {
        if !rest.first()?.is_ascii_digit() {
            return None;
        }
        let mut base = 10;
        if rest[0] == b'0' {
            (base, rest) = match rest.get(1) {
                Some(b'x' | b'X') => (16, &rest[2..]),
                _ => (8, rest),
            };
        }
        let mut value = 0u64;
        while let Some(digit) = rest.first().and_then(|&byte| (byte as char).to_digit(base)) {
            value = (value * u64::from(base) + u64::from(digit)).min(1 << 40);
            rest = &rest[1..];
        }
        parts.push(value);
        match rest {
            [] => break,
            [b'.', after @ ..] if parts.len() < 4 && value < 256 => rest = after,
            _ => return None,
        }
    }
    let last = parts.pop()?;
    let mut bits = 0;
    for (at, part) in parts.iter().enumerate() {
        bits |= part << (24 - 8 * at);
    }
    let fits = last < 1 << (32 - 8 * parts.len());
    fits.then(|| Ipv4Addr::from_bits(u32::try_from(bits | last).expect("each part fits")))
}
