//! Names that take as long as the test wants.

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

use crate::reactor::{App, Event, Reactor};

use super::*;

/// A resolver whose look-ups the test controls, and the answers that have arrived.
struct Scene {
    resolver: SystemResolver<String>,
    reactor: Reactor<String>,
    answers: Answers,
    /// Dropped to let the slow look-ups finish.
    hold: Option<mpsc::Sender<()>>,
    begun: mpsc::Receiver<String>,
}

#[derive(Default)]
struct Answers(Vec<String>);

impl App for Answers {
    type Mail = String;

    fn handle(&mut self, _: &mut Reactor<String>, event: Event<String>) {
        if let Event::Mail(name) = event {
            self.0.push(name);
        }
    }
}

impl Scene {
    fn new(max_threads: usize) -> Self {
        let reactor = Reactor::new().unwrap();
        let (hold, held) = mpsc::channel();
        let (begins, begun) = mpsc::channel();
        let held = Mutex::new(held);
        let look_up = move |name: &str| {
            begins.send(name.to_owned()).map_err(io::Error::other)?;
            if name.starts_with("slow") {
                let _ = held.lock().map(|held| held.recv());
            }
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        };
        let (mailbox, look_up) = (reactor.mailbox(), Box::new(look_up));
        let resolver = SystemResolver::with(max_threads, mailbox, |name, _| name, look_up);
        Self { resolver, reactor, answers: Answers::default(), hold: Some(hold), begun }
    }

    fn ask(&self, names: &[&str]) {
        names.iter().for_each(|name| self.resolver.ask(name, None).unwrap());
    }

    /// Waits until threads have begun `count` more names, and returns them.
    fn begun(&self, count: usize) -> Vec<String> {
        let mut names: Vec<String> =
            (0..count).map(|_| self.begun.recv_timeout(LONG).unwrap()).collect();
        names.sort();
        names
    }

    /// Waits until `count` answers have arrived, and returns them.
    fn answers(&mut self, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            if self.answers.0.len() >= count {
                self.answers.0.sort();
                return std::mem::take(&mut self.answers.0);
            }
            self.reactor.turn(&mut self.answers, Some(LONG / 1000)).unwrap();
        }
        panic!("no other answer will come: {:?}", self.answers.0);
    }
}

/// Longer than any step of these tests takes.
const LONG: Duration = Duration::from_secs(10);

#[test]
fn withdrawn_names_do_not_delay_others() {
    let mut scene = Scene::new(2);
    scene.ask(&["slow 1", "slow 2", "slow 3", "quick"]);
    assert_eq!(scene.begun(2), ["slow 1", "slow 2"]);
    let forgotten = ["slow 3", "slow 2", "slow 1"].map(|name| scene.resolver.forget(name));
    assert_eq!(forgotten, [true, false, false]);
    assert_eq!(scene.answers(1), ["quick"]);
    assert_eq!(scene.begun(1), ["quick"], "no thread began the third");

    scene.hold = None;
    assert_eq!(scene.answers(2), ["slow 1", "slow 2"], "these calls could not be cancelled");
}

#[test]
fn surplus_thread_ends() {
    let scene = Scene::new(2);
    let [mut first, mut second] = [(); 2].map(|()| Thread::new(Arc::clone(&scene.resolver.0)));
    {
        let mut queue = scene.resolver.0.lock();
        queue.threads = 3;
        queue.waiting.push_back(Waiting { name: "a name".into(), client: None });
    }
    assert_eq!(first.next(), None);
    assert_eq!(second.next().as_deref(), Some("a name"), "two threads are left");
    drop((first, second));
    assert_eq!(scene.resolver.0.lock().threads, 1, "each thread is subtracted once");
}

#[test]
fn name_requested_again_during_its_call_is_looked_up_once() {
    let mut scene = Scene::new(1);
    scene.ask(&["slow", "other", "other"]);
    assert_eq!(scene.begun(1), ["slow"]);
    scene.resolver.forget("slow");
    assert_eq!(scene.answers(1), ["other"]);
    scene.ask(&["slow"]);
    scene.hold = None;
    assert_eq!(scene.answers(1), ["slow"]);
    scene.ask(&["slow"]);
    assert_eq!(scene.answers(1), ["slow"], "a request after the answer gets another answer");
    assert_eq!(scene.begun(2), ["other", "slow"]);
}

#[test]
fn number_of_threads_left_behind_is_limited() {
    let mut scene = Scene::new(1);
    let slow: Vec<String> = (0..LEFT_BEHIND).map(|number| format!("slow {number}")).collect();
    for name in &slow {
        scene.ask(&[name]);
        assert_eq!(scene.begun(1), [name.as_str()]);
        scene.resolver.forget(name);
    }
    scene.ask(&["quick"]);
    assert_eq!(scene.resolver.0.lock().threads, LEFT_BEHIND);
    scene.hold = None;
    assert_eq!(scene.answers(1 + LEFT_BEHIND).len(), 1 + LEFT_BEHIND);
}

#[test]
fn number_of_waiting_names_is_limited() {
    let scene = Scene::new(1);
    scene.ask(&["slow"]);
    scene.begun(1);
    (0..WAITING).for_each(|number| scene.resolver.ask(&number.to_string(), None).unwrap());
    let refused = scene.resolver.ask("one more", None).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    scene.ask(&["7"]);
    scene.resolver.forget("7");
    scene.ask(&["one more"]);
}

#[test]
fn answer_waits_for_room_in_the_mailbox() {
    let mut scene = Scene::new(1);
    let mailbox = scene.reactor.mailbox();
    let filled = (0..).take_while(|_| mailbox.send(String::new()).is_ok()).count();
    scene.ask(&["first", "second"]);
    assert_eq!(scene.begun(1), ["first"]);
    let answers = scene.answers(filled + 2);
    assert_eq!(answers[filled..], ["first", "second"]);
}

#[test]
fn threads_end_with_a_reactor_whose_mailbox_is_full() {
    let scene = Scene::new(1);
    let mailbox = scene.reactor.mailbox();
    while mailbox.send(String::new()).is_ok() {}
    scene.ask(&["first"]);
    scene.begun(1);
    drop(scene.reactor);
    assert_eq!(mailbox.send_when_room("letter".into()), Err("letter".into()));
    drop(scene.resolver);
    assert_eq!(scene.begun.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn one_client_leaves_threads_to_others() {
    let mut scene = Scene::new(4);
    let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
    for name in ["slow 1", "slow 2", "slow 3", "slow 4"] {
        scene.resolver.ask(name, one).unwrap();
    }
    assert_eq!(scene.begun(2), ["slow 1", "slow 2"]);
    scene.resolver.ask("quick", other).unwrap();
    assert_eq!(scene.answers(1), ["quick"], "the quick name does not wait behind the slow ones");
    assert_eq!(scene.begun(1), ["quick"]);
    assert_eq!(scene.resolver.0.lock().next(), None, "two threads are left to others");
    scene.resolver.forget("slow 1");
    assert_eq!(scene.begun(1), ["slow 3"], "the withdrawn name has freed a thread");
    scene.hold = None;
    assert_eq!(scene.answers(4), ["slow 1", "slow 2", "slow 3", "slow 4"]);
}

#[test]
fn one_client_leaves_threads_behind_for_half_of_the_bound() {
    let mut scene = Scene::new(1);
    let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
    for number in 0..LEFT_BEHIND / 2 {
        let name = format!("slow {number}");
        scene.resolver.ask(&name, one).unwrap();
        assert_eq!(scene.begun(1), [name.as_str()]);
        scene.resolver.forget(&name);
    }
    scene.resolver.ask("slow", one).unwrap();
    scene.resolver.ask("quick", other).unwrap();
    assert_eq!(scene.answers(1), ["quick"]);
    assert_eq!(scene.begun(1), ["quick"], "the slow name waits until a call of its client ends");
    scene.hold = None;
    assert_eq!(scene.answers(1 + LEFT_BEHIND / 2).len(), 1 + LEFT_BEHIND / 2);
}
