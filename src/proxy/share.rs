//! Clients as they share places of which there is a bounded number.

use std::net::IpAddr;

use crate::auth::client_network;

use super::limits::Limits;

/// Returns the client that `address` counts as where clients share places
/// ([`Shares`](crate::shares::Shares)): an IPv4 address, or the /64 of an IPv6 one. `None` for the
/// loopback, which may stand for many clients, unless the limits say that it is one.
pub(super) fn share_of(address: IpAddr, limits: &Limits) -> Option<IpAddr> {
    let is_exempt = address.to_canonical().is_loopback() && !limits.share_loopback;
    (!is_exempt).then(|| client_network(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_exempt_unless_it_is_one_client() {
        let (default, one) =
            (Limits::default(), Limits { share_loopback: true, ..Limits::default() });
        for (address, exempt, share) in [
            ("127.0.0.9", true, "127.0.0.9"),
            ("::1", true, "::"),
            ("::ffff:127.0.0.1", true, "127.0.0.1"),
            ("192.0.2.1", false, "192.0.2.1"),
            ("::ffff:192.0.2.1", false, "192.0.2.1"),
            ("2001:db8:1:2:3::4", false, "2001:db8:1:2::"),
        ] {
            let address = address.parse().unwrap();
            let share = Some(share.parse().unwrap());
            assert_eq!(share_of(address, &default), share.filter(|_| !exempt), "{address}");
            assert_eq!(share_of(address, &one), share, "{address}");
        }
    }
}
