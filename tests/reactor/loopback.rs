//! Sticky readiness over edge-triggered TCP: the cases that are easily missed.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::task::Poll;

use socket2::SockRef;
use tidegate::reactor::{Listener, Ready, SocketId, WakeReason};

use crate::support::{Host, LONG, LOOPBACK, Log, read, ready, settle, tcp_log, tokens, write};

/// Returns an accepted connection whose owner was driven, and the client at its other end. No
/// operation was performed on the connection yet.
fn accepted() -> (Host<Log>, SocketId, TcpStream) {
    let mut host = tcp_log();
    let [gate, owner] = tokens();
    let mut listener = Listener::bind(&mut host.reactor, LOOPBACK, gate).unwrap();
    let client = TcpStream::connect(listener.address()).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut connections = Vec::new();
    host.turn_until(|host| {
        listener.accept(&mut host.reactor, 1, &mut connections);
        !connections.is_empty()
    });
    listener.close(&mut host.reactor);
    let (io, _) = connections[0];
    host.reactor.set_owner(io, owner);
    settle(&mut [&mut host]);
    host.app.driven.clear();
    (host, io, client)
}

/// Returns the same after a read that would have blocked.
fn watched() -> (Host<Log>, SocketId, TcpStream) {
    let (mut host, io, client) = accepted();
    assert!(read(&mut host.reactor, io, 10).is_pending());
    settle(&mut [&mut host]);
    host.app.driven.clear();
    (host, io, client)
}

fn until_driven(host: &mut Host<Log>) {
    host.turn_until(|host| host.app.driven.iter().any(|drive| drive.1.contains(WakeReason::READY)));
    settle(&mut [host]);
    host.app.driven.clear();
}

/// Reads until `all` bytes have arrived, driven by events alone.
fn read_all(host: &mut Host<Log>, io: SocketId, room: usize, all: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < all {
        match read(&mut host.reactor, io, room) {
            Poll::Ready(more) => bytes.extend(more.unwrap()),
            Poll::Pending => until_driven(host),
        }
    }
    bytes
}

#[test]
fn end_of_stream_is_seen_after_a_short_read() {
    for (mut host, io, mut client) in [watched(), accepted()] {
        client.write_all(b"farewell").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut host, io, 1000, 8), b"farewell");
        host.turn_until(|host| match read(&mut host.reactor, io, 1000) {
            Poll::Ready(end) => end.unwrap().is_empty(),
            Poll::Pending => false,
        });
    }
}

#[test]
fn later_end_of_stream_drives_the_owner_again() {
    let (mut host, io, mut client) = watched();
    client.write_all(b"wait").unwrap();
    assert_eq!(read_all(&mut host, io, 1000, 4), b"wait");
    assert!(read(&mut host.reactor, io, 1000).is_pending());
    drop(client);
    until_driven(&mut host);
    assert_eq!(ready(read(&mut host.reactor, io, 1000)), b"");
}

#[test]
fn partial_reads_continue_without_another_event() {
    let sent: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for (mut host, io, mut client) in [watched(), accepted()] {
        client.write_all(&sent).unwrap();
        drop(client);
        assert!(read_all(&mut host, io, 999, sent.len()) == sent);
    }
}

#[test]
fn exactly_filled_read_does_not_lose_later_bytes() {
    for (mut host, io, mut client) in [watched(), accepted()] {
        client.write_all(b"12345").unwrap();
        assert_eq!(read_all(&mut host, io, 5, 5), b"12345");
        assert!(read(&mut host.reactor, io, 5).is_pending());
        client.write_all(b"67890").unwrap();
        until_driven(&mut host);
        assert_eq!(ready(read(&mut host.reactor, io, 5)), b"67890");
    }
}

#[test]
fn connection_gets_events_however_late_it_first_would_block() {
    let (mut host, io, mut client) = accepted();
    for _ in 0..3 {
        write(&mut host.reactor, io, b"said at once");
        assert!(host.turn().is_idle());
    }
    let mut heard = [0; 36];
    client.read_exact(&mut heard).unwrap();
    assert!(read(&mut host.reactor, io, 10).is_pending());
    client.write_all(b"an answer").unwrap();
    until_driven(&mut host);
    assert_eq!(ready(read(&mut host.reactor, io, 10)), b"an answer");
}

#[test]
fn full_connection_is_writable_again_after_its_peer_has_read() {
    for (mut host, io, mut client) in [watched(), accepted()] {
        let block = [7; 64 * 1024];
        let mut sent = 0;
        while let Poll::Ready(n) = host.reactor.send(io, &[IoSlice::new(&block)]) {
            sent += n.unwrap();
        }
        assert!(!host.reactor.ready(io).contains(Ready::WRITABLE));
        host.app.driven.clear();
        let mut received = vec![0; sent];
        client.read_exact(&mut received).unwrap();
        until_driven(&mut host);
        write(&mut host.reactor, io, &block[..1000]);
    }
}

#[test]
fn bytes_after_an_urgent_mark_are_read() {
    for (mut host, io, mut client) in [watched(), accepted()] {
        client.write_all(b"before").unwrap();
        SockRef::from(&client).send_out_of_band(b"!").unwrap();
        client.write_all(b"behind").unwrap();
        assert_eq!(read_all(&mut host, io, 1000, 12), b"beforebehind");
    }
}

#[test]
fn reset_is_not_reported_as_end_of_stream() {
    let (mut host, io, mut client) = watched();
    write(&mut host.reactor, io, b"the first half");
    host.reactor.reset(io);
    assert_eq!(host.reactor.open_sockets(), 0);
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn reset_by_the_peer_wakes_a_waiting_writer() {
    let (mut host, io, client) = watched();
    let send = |host: &mut Host<Log>| host.reactor.send(io, &[IoSlice::new(&[0; 64 * 1024])]);
    while send(&mut host).is_ready() {}
    SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    host.turn_until(|host| matches!(send(host), Poll::Ready(Err(_))));
}

#[test]
fn closed_socket_passes_no_events_to_its_successor() {
    let (mut host, old, mut client) = watched();
    client.write_all(b"for the old one").unwrap();
    until_driven(&mut host);
    host.reactor.close(old);
    host.reactor.close(old);
    let [owner] = tokens();
    let new = host.reactor.listen(LOOPBACK, owner).unwrap();
    assert_eq!(old.index(), new.index(), "its place is used again");
    assert!(host.turn().is_idle());
    assert_eq!(host.reactor.ready(old), Ready::NONE);
    let Poll::Ready(Err(error)) = read(&mut host.reactor, old, 10) else {
        panic!("the socket is closed")
    };
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert_eq!(host.reactor.shutdown(old).unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(host.reactor.open_sockets(), 1);
}

#[test]
fn poll_reports_all_ready_sockets_in_one_turn() {
    const COUNT: usize = 600; // more events than one poll of the kernel returns
    let mut host = tcp_log();
    let [gate, owner] = tokens();
    let mut listener = Listener::bind(&mut host.reactor, LOOPBACK, gate).unwrap();
    let connect = |_| TcpStream::connect(listener.address()).unwrap();
    let mut clients: Vec<TcpStream> = (0..COUNT).map(connect).collect();
    let mut connections = Vec::new();
    host.turn_until(|host| {
        listener.accept(&mut host.reactor, COUNT, &mut connections);
        connections.len() == COUNT
    });
    for &(io, _) in &connections {
        host.reactor.set_owner(io, owner);
        assert!(read(&mut host.reactor, io, 10).is_pending());
    }
    settle(&mut [&mut host]);
    clients.iter_mut().for_each(|client| client.write_all(b"x").unwrap());
    host.turn();
    let ready =
        connections.iter().filter(|(io, _)| host.reactor.ready(*io).contains(Ready::READABLE));
    assert_eq!(ready.count(), COUNT);
}
