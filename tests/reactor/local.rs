//! Unix domain sockets.

use std::fs;
use std::io::{ErrorKind, IoSlice};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Faults, Network};
use tidegate::reactor::{
    App, Arena, Driven, Event, Listener, LocalOptions, Reactor, SocketId, Token,
};

use crate::support::Folder;

/// Ignores all events; the test reads the state of the reactor instead.
struct IgnoreEvents;

impl App for IgnoreEvents {
    type Mail = ();
    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

struct Thing;

impl Driven for Thing {
    const KIND: u8 = 0;
}

fn token() -> Token {
    Arena::new().insert(Thing).token()
}

/// Sends a word from the client to the server over a socket at `path`.
fn converse(server: &mut Reactor<()>, client: &mut Reactor<()>, path: &Path) {
    let mut listener = Listener::bind_local(server, path, token()).unwrap();
    let near = client.connect_local(path, token()).unwrap();
    let mut accepted: Vec<(SocketId, _)> = Vec::new();
    let mut heard = Vec::with_capacity(100);
    let mut said = false;
    for _ in 0..1000 {
        client.turn(&mut IgnoreEvents, Some(Duration::ZERO)).unwrap();
        server.turn(&mut IgnoreEvents, Some(Duration::from_millis(1))).unwrap();
        if !said && client.connected(near).is_ready() {
            said = client.send(near, &[IoSlice::new(b"word")]).is_ready();
        }
        listener.accept(server, 1, &mut accepted);
        if let Some(&(far, address)) = accepted.first() {
            assert_eq!((address.ip(), address.port()), (Ipv4Addr::UNSPECIFIED.into(), 0));
            if let Poll::Ready(read) = server.recv(far, &mut heard) {
                read.unwrap();
                break;
            }
        }
    }
    assert_eq!(heard, b"word");
    listener.close(server);
}

#[test]
fn local_sockets_carry_bytes_like_tcp() {
    let folder = Folder::new("carry");
    let mut reactors = [Reactor::new().unwrap(), Reactor::new().unwrap()];
    let [server, client] = &mut reactors;
    converse(server, client, &folder.0.join("s"));
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        0,
        "closing the listener removes its file"
    );
}

#[test]
fn local_socket_admits_only_its_owner() {
    let folder = Folder::new("owner");
    let path = folder.0.join("s");
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    let io = reactor.listen_local(&path, token()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "of another program").unwrap();
    reactor.close(io);
    assert!(path.exists(), "another program's file of that name stays");
}

#[test]
fn local_listener_has_the_permissions_that_it_is_given() {
    let folder = Folder::new("mode");
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    for mode in [0o600, 0o660, 0o666, 0o620, 0o777, LocalOptions::default().mode] {
        let path = folder.0.join(format!("{mode:o}"));
        let options = LocalOptions { mode, ..LocalOptions::default() };
        let listener = Listener::bind_local_with(&mut reactor, &path, options, token()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        listener.close(&mut reactor);
        assert!(!path.exists());
    }
    assert_eq!(LocalOptions::default(), LocalOptions { mode: 0o600, backlog: 4096 });
}

#[test]
fn only_the_socket_of_a_dead_process_is_replaced() {
    let folder = Folder::new("left");
    let path = folder.0.join("s");
    let mut reactor: Reactor<()> = Reactor::new().unwrap();
    let listen = |reactor: &mut Reactor<()>| reactor.listen_local(&path, token());

    let living = UnixListener::bind(&path).unwrap();
    assert_eq!(listen(&mut reactor).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(path.exists());
    drop(living); // leaves the socket's file behind
    let io = listen(&mut reactor).unwrap();
    reactor.close(io);

    fs::write(&path, "no socket").unwrap();
    assert_eq!(listen(&mut reactor).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read(&path).unwrap(), b"no socket");
    assert!(reactor.connect_local(&path, token()).is_err());
}

#[test]
fn local_sockets_work_in_the_simulation() {
    for seed in 0..20 {
        let network = Network::new(seed);
        let host = Ipv4Addr::LOCALHOST.into();
        let mut server = network.reactor(host, Faults::NONE);
        let mut client = network.reactor(host, Faults::NONE);
        converse(&mut server, &mut client, Path::new("/in/the/simulation"));
    }
}
