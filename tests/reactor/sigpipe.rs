//! A host program that leaves SIGPIPE alone is not killed by a peer that goes away.
#![allow(unsafe_code)]

use std::io::{ErrorKind, IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::task::Poll;

use crate::support::{LOOPBACK, tcp_log, tokens};

const IN_CHILD: &str = "TIDEGATE_TEST_SIGPIPE";

/// Rust's runtime ignores the signal, and its disposition is the whole process's: so the test runs
/// itself again in a process that undoes that.
#[test]
fn a_write_to_a_connection_that_was_reset_is_an_error_and_no_signal() {
    if std::env::var_os(IN_CHILD).is_some() {
        return write_until_broken();
    }
    let name = "sigpipe::a_write_to_a_connection_that_was_reset_is_an_error_and_no_signal";
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

/// Closes `peer` with bytes unread, to which the kernel's answer is a reset.
fn reset(
    reactor: &mut tidegate::reactor::Reactor<()>,
    io: tidegate::reactor::SocketId,
    mut peer: TcpStream,
) {
    peer.write_all(b"read by nobody").unwrap();
    crate::support::write(reactor, io, b"nor this");
    peer.peek(&mut [0]).unwrap(); // it has arrived
}
