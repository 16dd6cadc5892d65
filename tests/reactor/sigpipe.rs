//! SIGPIPE: a host program that keeps its default disposition is not killed when a peer
//! disconnects.
#![allow(unsafe_code)]

use std::io::{ErrorKind, IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::task::Poll;

use crate::support::{LOOPBACK, tcp_log, tokens};

const IN_CHILD: &str = "TIDEGATE_TEST_SIGPIPE";

/// Runs itself again in a child process that restores the default disposition: Rust's runtime
/// ignores SIGPIPE, and the disposition belongs to the whole process.
#[test]
fn write_to_a_reset_connection_is_an_error_without_a_signal() {
    if std::env::var_os(IN_CHILD).is_some() {
        return write_until_broken();
    }
    let name = "sigpipe::write_to_a_reset_connection_is_an_error_without_a_signal";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", name]).env(IN_CHILD, "1").output().unwrap();
    assert!(output.status.success(), "{:?} {output:?}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

fn write_until_broken() {
    // SAFETY: the default disposition runs no code of this process.
    assert_ne!(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) }, libc::SIG_ERR);
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let mut host = tcp_log();
    let [owner] = tokens();
    let io = host.reactor.connect(listener.local_addr().unwrap(), owner).unwrap();
    let (peer, _) = listener.accept().unwrap();
    host.turn_until(|host| host.reactor.connected(io).is_ready());
    reset(&mut host.reactor, io, peer);
    host.turn_until(|host| {
        let sent = host.reactor.send(io, &[IoSlice::new(b"into the void")]);
        matches!(sent, Poll::Ready(Err(error)) if error.kind() == ErrorKind::BrokenPipe)
    });
}

/// Closes `peer` with unread bytes, which makes the kernel send a reset.
fn reset(
    reactor: &mut tidegate::reactor::Reactor<()>,
    io: tidegate::reactor::SocketId,
    mut peer: TcpStream,
) {
    peer.write_all(b"never read").unwrap();
    crate::support::write(reactor, io, b"never read either");
    peer.peek(&mut [0]).unwrap(); // waits until the bytes have arrived
}
