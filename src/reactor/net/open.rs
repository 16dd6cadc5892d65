//! Opening of listening sockets.

use std::io;
use std::net::TcpListener;

use socket2::{Domain, Protocol, Socket, Type};

use super::transport::{BACKLOG, Endpoint};

/// Opens a TCP socket that listens at `endpoint`, for [`Reactor::adopt`] or for another process.
///
/// # Errors
/// The errors of `bind(2)` and `listen(2)`.
///
/// [`Reactor::adopt`]: crate::reactor::Reactor::adopt
pub fn open_listener(endpoint: Endpoint) -> io::Result<TcpListener> {
    let address = endpoint.address();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Otherwise an IPv6 listener would collide with an IPv4 one on the same port.
        socket.set_only_v6(matches!(endpoint, Endpoint::Address(_)))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
