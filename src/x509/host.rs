//! Hosts that a certificate covers.

use std::net::IpAddr;

/// Returns the address that a host is, with or without the brackets of a URI.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Returns true if `name`, a DNS name of a certificate in lower case, covers `host`.
pub(super) fn matches(name: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(parent) = name.strip_prefix("*.") else { return name.eq_ignore_ascii_case(host) };
    let Some((label, rest)) = host.split_once('.') else { return false };
    !label.is_empty() && parent.eq_ignore_ascii_case(rest)
}

/// Returns true if a DNS name has characters of host names only: letters, digits, hyphens and
/// underscores; or is a wildcard, whose first label is `*`.
pub(super) fn is_name(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_plain))
}
