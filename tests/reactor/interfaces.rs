//! Which addresses this machine has.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use tidegate::reactor::interface_addresses;

#[test]
fn the_loopback_interface_is_among_them_and_all_are_of_this_machine() {
    let addresses = interface_addresses().unwrap();
    assert!(addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{addresses:?}");
    assert!(addresses.is_sorted(), "{addresses:?}");
    for &address in &addresses {
        // What can be bound is of this machine. (Of IPv6 it is only after a while, or not without a link.)
        if address.is_ipv4() {
            UdpSocket::bind((address, 0)).unwrap();
        }
    }
}
