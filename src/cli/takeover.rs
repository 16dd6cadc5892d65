//! Place of a process that drains: a process that starts asks for it over the control socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::{ControlTarget, Options};
use crate::proxy::ControlRequest;

use super::control_socket;

/// Timeout of each read and write.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks a process at the control socket of the `options` to leave its sockets, which it does if it drains.
/// Returns a line for the operator if it does.
pub(super) fn make_room(options: &Options) -> Option<String> {
    let path = match &options.control {
        ControlTarget::Off => return None,
        ControlTarget::At(path) => path.clone(),
        ControlTarget::Default => {
            let port = options.addresses().first().map_or(0, std::net::SocketAddr::port);
            control_socket::for_client(port).ok().filter(|_| port != 0)?
        }
    };
    let answer = ask(&path).ok()?;
    let took_over = format!("took over from a process that drains at {}", path.display());
    answer.starts_with("ok\n").then_some(took_over)
}

/// Returns the answer of the process at `path`.
fn ask(path: &Path) -> io::Result<String> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(path)?)?; // fails at once if the process does not accept
    socket.set_nonblocking(false)?;
    let mut stream = UnixStream::from(OwnedFd::from(socket));
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", ControlRequest::Yield).as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
