//! The addresses of this machine.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use tidegate::reactor::interface_addresses;

#[test]
fn interface_addresses_include_loopback_and_belong_to_this_machine() {
    let addresses = interface_addresses().unwrap();
    assert!(addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{addresses:?}");
    assert!(addresses.is_sorted(), "{addresses:?}");
    for &address in &addresses {
        // An address that can be bound belongs to this machine. (An IPv6 address can be bound only
        // after a while, or not without a link.)
        if address.is_ipv4() {
            UdpSocket::bind((address, 0)).unwrap();
        }
    }
}
