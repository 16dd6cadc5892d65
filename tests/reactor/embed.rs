//! Several reactors in one process, and a reactor inside another event loop.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use tidegate::reactor::sim::Rng;
use tidegate::reactor::{
    App, Clock, Event, Listener, LocalFile, LocalOptions, Reactor, VirtualClock, open_local,
};

use crate::stations::Station;
use crate::support::{Host, LONG, LOOPBACK, Log, millis, settle, tcp_log, tcp_reactor, tokens};

#[test]
fn descriptor_becomes_readable_when_an_event_is_pending() {
    let mut host = tcp_log();
    let [gate] = tokens();
    let at = Listener::bind(&mut host.reactor, LOOPBACK, gate).unwrap().address();
    settle(&mut [&mut host]);
    let mut outer = Poll::new().unwrap();
    let descriptor = host.reactor.descriptor().unwrap().as_raw_fd();
    let registry = outer.registry();
    registry.register(&mut SourceFd(&descriptor), mio::Token(7), Interest::READABLE).unwrap();
    assert!(!becomes_readable(&mut outer, Duration::ZERO));

    let _client = TcpStream::connect(at).unwrap();
    assert!(becomes_readable(&mut outer, LONG));
    assert_eq!(host.drives().len(), 1);

    settle(&mut [&mut host]);
    host.reactor.mailbox().send(()).unwrap();
    assert!(becomes_readable(&mut outer, LONG));
    settle(&mut [&mut host]);
    assert_eq!(host.app.mail.len(), 1);
    assert!(!becomes_readable(&mut outer, Duration::ZERO));
}

fn becomes_readable(poll: &mut Poll, within: Duration) -> bool {
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(within)).unwrap();
    events.iter().any(mio::event::Event::is_readable)
}

#[test]
fn outer_loop_needs_only_the_deadline_and_the_descriptor() {
    let clock = VirtualClock::default();
    let mut host: Host<Log> = Host::new(tcp_reactor(&clock), Log::default());
    let [token] = tokens();
    host.reactor.set_deadline(token, Some(clock.now().mono + millis(50)));
    assert_eq!(host.reactor.next_deadline(), Some(clock.now().mono + millis(50)));
    assert_eq!(host.drives(), []);
    clock.advance_to(host.reactor.next_deadline().unwrap());
    assert_eq!(host.drives().len(), 1);
    host.reactor.mailbox().send(()).unwrap();
    assert_eq!(
        host.reactor.next_deadline(),
        Some(clock.now().mono),
        "mail makes a turn due at once"
    );
}

#[test]
fn outer_loop_sees_events_of_a_connection_just_accepted() {
    let station = Station::new(Rng::new(0));
    let mut host = Host::new(tcp_reactor(&VirtualClock::default()), station);
    let at = host.app.listen(&mut host.reactor, LOOPBACK);
    let mut client = TcpStream::connect(at).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    turn_when_told(&mut host);
    client.write_all(b"hello").unwrap();
    turn_when_told(&mut host);
    let mut echo = [0; 5];
    client.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
}

/// Turns a reactor as a loop on poll(2) would: waits for the first event, and turns while the
/// descriptor is readable or the deadline has passed.
fn turn_when_told<A: App>(host: &mut Host<A>) {
    let is_told = |host: &Host<A>, within| is_readable(host.reactor.descriptor().unwrap(), within);
    assert!(is_told(host, LONG), "the descriptor did not become readable");
    while is_told(host, Duration::ZERO)
        || host.reactor.next_deadline().is_some_and(|at| at <= host.reactor.now().mono)
    {
        host.turn();
    }
}

#[expect(unsafe_code, reason = "the standard library has no poll(2)")]
fn is_readable(descriptor: BorrowedFd<'_>, within: Duration) -> bool {
    let mut asked = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let millis = i32::try_from(within.as_millis()).unwrap();
    // SAFETY: the pointer is to one pollfd, which outlives the call.
    let count = unsafe { libc::poll(&raw mut asked, 1, millis) };
    assert!(count >= 0);
    count > 0
}

#[test]
fn reactors_of_one_thread_see_only_their_own_sockets() {
    let (mut a, mut b) = (tcp_log(), tcp_log());
    let [gate] = tokens();
    let listen = |host: &mut Host<Log>| Listener::bind(&mut host.reactor, LOOPBACK, gate).unwrap();
    let (at_a, at_b) = (listen(&mut a), listen(&mut b));
    let _client = TcpStream::connect(at_b.address()).unwrap();
    b.turn_until(|host| !host.app.driven.is_empty());
    settle(&mut [&mut a, &mut b]);
    assert_eq!((a.app.driven.len(), b.app.driven.len()), (0, 1));
    drop(b);
    let _client = TcpStream::connect(at_a.address()).unwrap();
    a.turn_until(|host| !host.app.driven.is_empty());
}

/// A station that other threads can stop.
struct Stoppable(Station);

impl App for Stoppable {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        match event {
            Event::Mail(()) => reactor.stop(),
            other => self.0.handle(reactor, other),
        }
    }
}

#[test]
fn reactors_run_in_separate_threads() {
    let (tell, told) = std::sync::mpsc::channel();
    let servers = [1, 2].map(|seed| {
        let tell = tell.clone();
        thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            let mut station = Stoppable(Station::new(Rng::new(seed)));
            let at = station.0.listen(&mut reactor, LOOPBACK);
            tell.send((at, reactor.mailbox())).unwrap();
            reactor.run(&mut station).unwrap();
            station.0.ended
        })
    });
    for (at, mailbox) in told.iter().take(servers.len()) {
        let mut client = TcpStream::connect(at).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.write_all(b"across threads").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut echo = String::new();
        client.read_to_string(&mut echo).unwrap();
        assert_eq!(echo, "across threads");
        mailbox.send(()).unwrap();
    }
    assert_eq!(servers.map(|server| server.join().unwrap()), [1, 1]);
}

#[test]
fn listener_opened_elsewhere_can_be_adopted() {
    let opened = TcpListener::bind(LOOPBACK).unwrap();
    let at = opened.local_addr().unwrap();
    let mut host = tcp_log();
    let [gate] = tokens();
    let mut listener = Listener::adopt(&mut host.reactor, opened, gate).unwrap();
    assert_eq!(listener.address(), at);
    let client = TcpStream::connect(at).unwrap();
    host.turn_until(|host| !host.app.driven.is_empty());
    let mut accepted = Vec::new();
    listener.accept(&mut host.reactor, 10, &mut accepted);
    let [(_, peer)] = accepted[..] else { panic!("{accepted:?}") };
    assert_eq!(peer, client.local_addr().unwrap());
}

#[test]
fn closed_listener_with_a_shared_descriptor_causes_no_events() {
    let opened = TcpListener::bind(LOOPBACK).unwrap();
    let at = opened.local_addr().unwrap();
    let mut host = tcp_log();
    let [gate] = tokens();
    let shared = opened.try_clone().unwrap();
    let listener = Listener::adopt(&mut host.reactor, shared, gate).unwrap();
    listener.close(&mut host.reactor);
    let _client = TcpStream::connect(at).unwrap();
    let turn = host.reactor.turn(&mut host.app, Some(Duration::ZERO)).unwrap();
    assert!(turn.is_idle(), "{turn:?}");
}

#[test]
fn closed_local_listener_with_a_shared_descriptor_causes_no_events_and_keeps_its_file() {
    let path = std::env::temp_dir().join(format!("tidegate-adopted-{}", std::process::id()));
    let (opened, file) = open_local(&path, LocalOptions::default()).unwrap();
    let mut host = tcp_log();
    let [gate] = tokens();
    let shared = opened.try_clone().unwrap();
    let mut listener = Listener::adopt_local(&mut host.reactor, shared, gate).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    host.turn_until(|host| !host.app.driven.is_empty());
    let mut accepted = Vec::new();
    listener.accept(&mut host.reactor, 10, &mut accepted);
    let [(io, _)] = accepted[..] else { panic!("{accepted:?}") };
    host.reactor.close(io);
    listener.close(&mut host.reactor);
    settle(&mut [&mut host]);
    let _second = UnixStream::connect(&path).unwrap();
    let turn = host.reactor.turn(&mut host.app, Some(Duration::ZERO)).unwrap();
    assert!(turn.is_idle(), "{turn:?}");
    assert_eq!(LocalFile::find(&path, (0, 0)).unwrap().map(|other| other.identity()), None);
    let same = LocalFile::find(&path, file.identity()).unwrap().unwrap();
    assert_eq!(same.path(), path);
    drop(same);
    assert!(!path.exists());
}
