//! Mail from other threads.

use std::thread;

use tidegate::reactor::{App, Event, Mailbox, Reactor};

use crate::support::{Host, Log, tcp_reactor};

/// Receives `count` messages without a time limit: the test hangs if the sender does not wake the
/// reactor.
fn receive<M: Send + 'static>(reactor: &mut Reactor<M>, count: usize) -> Vec<M> {
    let mut log = Log::default();
    while log.mail.len() < count {
        reactor.turn(&mut log, None).unwrap();
    }
    log.mail
}

#[test]
fn mail_ends_a_waiting_turn() {
    let rounds = 2000;
    let mut here: Reactor<Mailbox<u32>> = Reactor::new().unwrap();
    let to_here = here.mailbox();
    let player = thread::spawn(move || {
        let mut there: Reactor<u32> = Reactor::new().unwrap();
        for round in 0..rounds {
            to_here.send(there.mailbox()).unwrap();
            assert_eq!(receive(&mut there, 1), [round]);
        }
    });
    for round in 0..rounds {
        let [back] = &receive(&mut here, 1)[..] else { panic!("more mail than was sent") };
        back.send(round).unwrap();
    }
    player.join().unwrap();
}

#[test]
fn mail_of_many_senders_is_complete_and_in_order_of_each() {
    let (senders, each) = (8, 2000);
    let mut reactor = Reactor::new().unwrap();
    let threads: Vec<_> = (0..senders)
        .map(|sender| {
            let mailbox = reactor.mailbox();
            thread::spawn(move || {
                (0..each).for_each(|number| mailbox.send((sender, number)).unwrap());
            })
        })
        .collect();
    let mail = receive(&mut reactor, senders * each);
    for sender in 0..senders {
        let numbers = mail.iter().filter(|mail| mail.0 == sender).map(|mail| mail.1);
        assert!(numbers.eq(0..each), "sender {sender}");
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Answers each number except 0 with the next lower one.
#[derive(Default)]
struct CountDown(Vec<u32>);

impl App for CountDown {
    type Mail = u32;

    fn handle(&mut self, reactor: &mut Reactor<u32>, event: Event<u32>) {
        if let Event::Mail(number) = event {
            self.0.push(number);
            if number > 0 {
                reactor.mailbox().send(number - 1).unwrap();
            }
        }
    }
}

#[test]
fn mail_sent_while_handling_mail_arrives_in_the_next_turn() {
    let mut host = Host::new(tcp_reactor(&Default::default()), CountDown::default());
    host.reactor.mailbox().send(3).unwrap();
    for turns in 1..=4 {
        host.turn();
        assert_eq!(host.app.0.len(), turns);
    }
    assert_eq!(host.app.0, [3, 2, 1, 0]);
}

#[test]
fn turn_handles_256_messages_and_the_next_does_not_wait() {
    let mut host = Host::new(tcp_reactor(&Default::default()), Log::default());
    let mailbox = host.reactor.mailbox();
    (0..600).for_each(|number| mailbox.send(number).unwrap());
    for (events, after) in [(256, true), (256, true), (88, false)] {
        assert_eq!(host.reactor.turn(&mut host.app, None).unwrap().events, events);
        let due = host.reactor.next_deadline() == Some(host.reactor.now().mono);
        assert_eq!(due, after);
    }
    assert!(host.app.mail.iter().copied().eq(0..600));
    assert!(host.turn().is_idle());
}

#[test]
fn mail_arrives_on_a_simulated_network() {
    let network = tidegate::reactor::sim::Network::new(0);
    let mut reactor = network.reactor([192, 0, 2, 1].into(), tidegate::reactor::sim::Faults::NONE);
    reactor.mailbox().send("hello").unwrap();
    assert_eq!(receive(&mut reactor, 1), ["hello"]);
}

#[test]
fn mail_to_a_dropped_reactor_is_returned() {
    let reactor = Reactor::new().unwrap();
    let mailbox = reactor.mailbox();
    drop(reactor);
    assert_eq!(mailbox.send("letter"), Err("letter"));
}

#[test]
fn mailbox_is_bounded() {
    let mut reactor = Reactor::new().unwrap();
    let mailbox = reactor.mailbox();
    let sent = (0..1 << 20).take_while(|&number| mailbox.send(number).is_ok()).count();
    assert_eq!(sent, 1 << 16);
    assert_eq!(receive(&mut reactor, sent).len(), sent);
    assert_eq!(mailbox.send(0), Ok(()), "the mailbox has capacity again");
}
