//! A name server that knows three names; one is allowed, one is not, one does not exist.

use std::net::SocketAddr;
use std::task::Poll;

use tidegate::dns::Response;
use tidegate::reactor::{Io, Reactor, Token};

pub(crate) const NAMES: &str = "198.51.100.53:53";
/// The response to one question, from a server that asks others; with the code for 'no such name'.
const FOUND: [u8; 2] = [0x81, 0x80];
const NOT_FOUND: [u8; 2] = [0x81, 0x83];
const IPV4: u16 = 1;

/// The addresses of names.
pub(crate) fn address_of(name: &str) -> Option<[u8; 4]> {
    match name {
        "o.test" => Some([198, 51, 100, 1]),
        "denied.test" => Some([10, 0, 0, 1]),
        _ => None,
    }
}

pub(crate) struct NameServer(Io);

impl NameServer {
    pub(crate) fn bind(reactor: &mut Reactor<()>, owner: Token) -> Self {
        let address: SocketAddr = NAMES.parse().unwrap();
        Self(reactor.bind_datagrams(address, owner).unwrap())
    }

    pub(crate) fn drive(&self, reactor: &mut Reactor<()>) {
        let mut query = Vec::with_capacity(600);
        while let Poll::Ready(from) = reactor.recv_datagram(self.0, &mut query) {
            let sent = reactor.send_datagram(self.0, &answer(&query), Some(from.unwrap()));
            assert!(sent.is_ready());
            query.clear();
        }
    }
}

fn answer(query: &[u8]) -> Vec<u8> {
    const WITH_EDNS: usize = 11;
    let mut response = query[..query.len() - WITH_EDNS].to_vec();
    response[2..4].copy_from_slice(&FOUND);
    response[11] = 0;
    let asked = Response::read(&response).unwrap();
    match address_of(&asked.name.to_string().to_ascii_lowercase()) {
        None => response[2..4].copy_from_slice(&NOT_FOUND),
        Some(address) if asked.question.0 == IPV4 => {
            response[7] = 1;
            response.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04"); // of the name asked for, 5 s
            response.extend(address);
        }
        Some(_) => {}
    }
    response
}
