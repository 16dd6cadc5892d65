//! A name server with the names of members, of which one is allowed as an origin, and three others: one
//! is denied, one does not exist, and no certificate is for one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::dns::Response;
use tidegate::reactor::sim::Rng;
use tidegate::reactor::{Reactor, SocketId, Token};

use crate::members::ALL;

pub(crate) const NAMES: &str = "198.51.100.53:53";
/// The origin's second address.
pub(crate) const ORIGIN_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The flags of a recursive server's response, with the codes NOERROR and NXDOMAIN.
const FOUND: [u8; 2] = [0x81, 0x80];
const NOT_FOUND: [u8; 2] = [0x81, 0x83];
const IPV4: u16 = 1;

/// Returns the IPv4 address of a name.
pub(crate) fn address_of(name: &str) -> Option<[u8; 4]> {
    match name {
        "other.test" => Some([198, 51, 100, 1]),
        "denied.test" => Some([10, 0, 0, 1]),
        name => ALL.iter().find(|(member, _)| *member == name).map(|(_, address)| *address),
    }
}

/// The server's behaviour: IPv6 addresses or not, and the delay of its response for each family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) has_ipv6: bool,
    late: [Duration; 2],
}

impl Manner {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut late = || Duration::from_millis(*rng.pick(&[0, 0, 0, 30, 300, 1500]));
        Self { late: [late(), late()], has_ipv6: rng.percent(30) }
    }
}

pub(crate) struct NameServer {
    io: SocketId,
    owner: Token,
    manner: Manner,
    /// Responses not sent yet.
    due: Vec<(Instant, SocketAddr, Vec<u8>)>,
}

impl NameServer {
    pub(crate) fn bind(reactor: &mut Reactor<()>, owner: Token, manner: Manner) -> Self {
        let address: SocketAddr = NAMES.parse().unwrap();
        let io = reactor.bind_datagrams(address, owner).unwrap();
        Self { io, owner, manner, due: Vec::new() }
    }

    pub(crate) fn drive(&mut self, reactor: &mut Reactor<()>) {
        let now = reactor.now().mono;
        let mut query = Vec::with_capacity(600);
        while let Poll::Ready(from) = reactor.recv_datagram(self.io, &mut query) {
            let (is_ipv4, response) = answer(&query, self.manner.has_ipv6);
            let late = self.manner.late[usize::from(!is_ipv4)];
            self.due.push((now + late, from.unwrap(), response));
            query.clear();
        }
        for (_, to, response) in self.due.extract_if(.., |(at, ..)| *at <= now) {
            assert!(reactor.send_datagram(self.io, &response, Some(to)).is_ready());
        }
        reactor.set_deadline(self.owner, self.due.iter().map(|(at, ..)| *at).min());
    }
}

/// Returns the response to a query, and true if the query is for IPv4 addresses.
fn answer(query: &[u8], has_ipv6: bool) -> (bool, Vec<u8>) {
    const EDNS: usize = 11;
    let has_edns = query[11] == 1;
    let mut response = query[..query.len() - if has_edns { EDNS } else { 0 }].to_vec();
    response[2..4].copy_from_slice(&FOUND);
    response[11] = 0;
    let asked = Response::read(&response).unwrap();
    let (name, is_ipv4) = (asked.name.to_string().to_ascii_lowercase(), asked.question.0 == IPV4);
    let address = match (address_of(&name), is_ipv4) {
        (None, _) => {
            response[2..4].copy_from_slice(&NOT_FOUND);
            return (is_ipv4, response);
        }
        (Some(address), true) => IpAddr::from(address),
        (Some(_), false) if has_ipv6 && name == "o.test" => ORIGIN_IPV6.into(),
        (Some(_), false) => return (is_ipv4, response),
    };
    response[7] = 1;
    match address {
        IpAddr::V4(address) => {
            response.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04"); // for the queried name, 5 s
            response.extend(address.octets());
        }
        IpAddr::V6(address) => {
            response.extend(b"\xc0\x0c\0\x1c\0\x01\0\0\0\x05\0\x10");
            response.extend(address.octets());
        }
    }
    (is_ipv4, response)
}
