//! Lookups shared by clients, and bounds of the work of a drive.

use std::net::IpAddr;
use std::time::Duration;

use tidegate::reactor::sim::Faults;
use tidegate::reactor::{App, Event, Reactor, Token};
use tidegate::work;

use crate::scene::Scene;
use crate::server::Manner;

const OVERLOADED: &str = "too many names are being looked up";

fn client(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([198, 51, 100, last]))
}

fn silent() -> Scene {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    scene.servers[0].zone.manner = Manner::Silent;
    scene
}

/// Asserts that another client gets an answer once the server responds.
#[track_caller]
fn expect_answer_to_another(mut scene: Scene) {
    scene.servers[0].zone.manner = Manner::Right;
    let other = scene.ask_for("four.test", client(2));
    scene.settle();
    assert_eq!(scene.shown(other), "198.51.100.4");
    scene.expect_closed();
}

#[test]
fn one_client_holds_at_most_half_of_the_lookups() {
    let mut scene = silent();
    let greedy: Vec<Token> =
        (0..300).map(|n| scene.ask_for(&format!("n{n}.test"), client(1))).collect();
    scene.settle();
    assert_eq!(scene.program.resolver.asking(), 128);
    assert_eq!(scene.shown(greedy[128]), OVERLOADED);
    expect_answer_to_another(scene);
}

#[test]
fn abandoned_lookup_makes_room() {
    let mut scene = silent();
    for n in 0..400 {
        let guest = scene.ask_for(&format!("n{n}.test"), client(1));
        assert_eq!(scene.answer(guest), None, "{n}");
        scene.program.resolver.leave(&format!("n{n}.test"), guest);
    }
    scene.settle();
    assert_eq!(scene.program.resolver.asking(), 256);
    assert_eq!(scene.reactor.open_sockets(), 512);
    expect_answer_to_another(scene);
}

#[test]
fn abandoned_lookup_answers_the_next_caller() {
    let mut scene = Scene::new(0, 2, &Faults::NONE);
    scene.servers[0].zone.manner = Manner::Silent;
    for _ in 0..3 {
        let guest = scene.ask_for("four.test", client(1));
        scene.run(Duration::from_secs(1));
        if scene.answer(guest).is_some() {
            return assert_eq!(
                scene.took(),
                Duration::from_secs(2),
                "one silent server cost one attempt"
            );
        }
        scene.program.resolver.leave("four.test", guest);
    }
    panic!("no client that waits for 1 s got an answer");
}

#[test]
fn expired_answer_is_served_to_a_client_that_may_not_start_a_lookup() {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    scene.resolve("a.test");
    scene.wait(60);
    scene.servers[0].zone.manner = Manner::Silent;
    for n in 0..256 {
        scene.ask(&format!("n{n}.test"));
    }
    let other = scene.ask_for("a.test", client(1));
    assert_eq!(scene.shown(other), "2001:db8::1 198.51.100.1");
    let other = scene.ask_for("b.test", client(1));
    assert_eq!(scene.shown(other), OVERLOADED);
    scene.expect_closed();
}

#[test]
fn response_received_during_a_stall_counts() {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    let guest = scene.ask("four.test");
    scene.settle_own();
    scene.stall(Duration::from_secs(30));
    // The reactor notes the received response; the program ignores the event.
    scene.reactor.turn(&mut Idle, Some(Duration::ZERO)).unwrap();
    scene.drive(guest); // driven before the lookup itself, as the order of drives is arbitrary
    assert_eq!(scene.shown(guest), "198.51.100.4");
    scene.expect_closed();
}

/// A program that ignores all events.
struct Idle;
impl App for Idle {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

#[test]
fn lookup_not_begun_before_a_stall_gets_its_full_time() {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    let guest = scene.ask("four.test"); // driven in the next turn, which is late
    scene.stall(Duration::from_secs(30));
    scene.settle();
    assert_eq!(scene.shown(guest), "198.51.100.4");
}

#[test]
fn ipv6_addresses_are_reported_before_late_ipv4_ones() {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    scene.servers[0].zone.slow = Some((crate::write::A, Duration::from_millis(150)));
    let guest = scene.ask("a.test");
    scene.settle();
    assert_eq!(scene.shown(guest), "2001:db8::1");
    scene.run(Duration::from_millis(149));
    assert_eq!(scene.shown(guest), "2001:db8::1");
    scene.run(Duration::from_millis(1));
    assert_eq!(scene.shown(guest), "2001:db8::1 198.51.100.1", "the caller was woken again");
    scene.expect_closed();
}

/// Returns the steps of turning until the network is idle.
fn steps(scene: &mut Scene) -> u64 {
    let before = work::counted();
    scene.settle();
    work::counted() - before
}

#[test]
fn cost_of_an_answer_is_independent_of_other_lookups() {
    let work = |others: usize| {
        let mut scene = silent();
        for n in 0..others {
            scene.ask(&format!("n{n}.test"));
        }
        scene.settle();
        scene.servers[0].zone.manner = Manner::Right;
        scene.ask("four.test");
        steps(&mut scene)
    };
    let (few, many) = (work(2), work(200));
    assert!(many < few + few / 4, "{few} steps with 2 other questions, {many} with 200");
}

#[test]
fn waiters_are_woken_in_slices() {
    let mut scene = Scene::new(0, 1, &Faults::NONE);
    let guests: Vec<Token> = (0..40_000).map(|_| scene.ask_now("four.test")).collect();
    scene.settle(); // in which no drive may exceed its bound
    assert!(guests.iter().all(|&guest| scene.shown(guest) == "198.51.100.4"));
    assert_eq!(scene.heard(), 2);
    scene.expect_closed();
}
