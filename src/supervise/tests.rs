use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::ended::Ended;
use super::event::{Action, Event};
use super::link::{Lines, Order, Report};
use super::state::{FileId, Handed, RunningWorker, Socket};
use super::supervisor::Supervisor;
use super::worker::START;
use crate::reactor::{Clock, VirtualClock};

const HEARTBEAT: Duration = Duration::from_secs(10);

/// A supervisor on virtual time.
struct Run {
    supervisor: Supervisor,
    clock: VirtualClock,
}

impl Run {
    fn new() -> Self {
        Self { supervisor: Supervisor::new(HEARTBEAT), clock: VirtualClock::default() }
    }

    fn now(&self) -> Instant {
        self.clock.now().mono
    }

    /// Returns the actions on an event, without lines for people.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.supervisor.handle(event, self.now());
        actions.retain(|action| !matches!(action, Action::Say(_) | Action::Waiting(_)));
        actions
    }

    /// Advances to the next deadline. Returns the time that has passed, and the actions.
    fn tick(&mut self) -> (Duration, Vec<Action>) {
        let (before, at) = (self.now(), self.supervisor.next_deadline().unwrap());
        self.clock.advance_to(at);
        (self.now() - before, self.on(Event::Tick))
    }

    /// Returns a supervisor whose worker 1 serves.
    fn serving() -> Self {
        let mut run = Self::new();
        assert_eq!(run.on(Event::Begin), [Action::Start(1)]);
        assert_eq!(run.on(Event::Ready(1)), [Action::Keep(1), Action::Serving(1)]);
        run
    }
}

fn killed() -> Ended {
    Ended::Killed { signal: "SIGKILL".to_owned(), dumped: false }
}

#[test]
fn first_death_restarts_at_once_and_further_ones_ever_later() {
    let mut run = Run::serving();
    let mut delays = Vec::new();
    for number in 1..14 {
        assert_eq!(run.on(Event::Ended(number, killed())), []);
        let (delay, actions) = run.tick();
        assert_eq!(actions, [Action::Start(number + 1)]);
        delays.push(u64::try_from(delay.as_millis()).unwrap());
        run.on(Event::Ready(number + 1));
    }
    assert_eq!(delays[..5], [0, 100, 200, 400, 800]);
    assert_eq!(delays[9..], [25_600, 30_000, 30_000, 30_000]);
    for _ in 0..10 {
        run.clock.advance(Duration::from_secs(6));
        run.on(Event::Beat(14));
    }
    run.on(Event::Ended(14, killed()));
    assert_eq!(run.tick(), (Duration::ZERO, vec![Action::Start(15)]));
}

#[test]
fn workers_that_never_were_ready_end_the_supervisor() {
    let mut run = Run::new();
    run.on(Event::Begin);
    for number in 1..5 {
        assert_eq!(run.on(Event::Ended(number, killed())), []);
        assert_eq!(run.tick().1, [Action::Start(number + 1)]);
    }
    assert_eq!(run.on(Event::Ended(5, killed())), [Action::Exit(1)]);
}

#[test]
fn refused_configuration_ends_the_supervisor_at_its_start_only() {
    let mut run = Run::new();
    run.on(Event::Begin);
    let refused = Ended::Exit(2);
    assert_eq!(run.on(Event::Ended(1, refused.clone())), [Action::Exit(2)]);
    let mut run = Run::serving();
    assert_eq!(run.on(Event::Ended(1, killed())), []);
    run.tick();
    assert_eq!(run.on(Event::Ended(2, refused)), [Action::Discard(2)]);
    assert_eq!(run.tick().1, [Action::Start(3)]);
}

#[test]
fn missing_process_ends_the_supervisor_at_its_start_only() {
    let not_started = |number| Event::NotStarted(number, "in use".to_owned(), 1);
    let mut run = Run::new();
    run.on(Event::Begin);
    assert_eq!(run.on(not_started(1)), [Action::Exit(1)]);
    let mut run = Run::serving();
    run.on(Event::Ended(1, killed()));
    run.tick();
    assert_eq!(run.on(not_started(2)), [Action::Discard(2)]);
    assert_eq!(run.tick(), (Duration::from_millis(100), vec![Action::Start(3)]));
}

#[test]
fn resumed_supervisor_starts_a_worker_if_none_serves() {
    let now = VirtualClock::default().now().mono;
    let resumed = |active| Supervisor::resumed(HEARTBEAT, 4, (active, &[2]), now);
    assert_eq!(resumed(Some(4)).handle(Event::Tick, now), []);
    assert_eq!(resumed(Some(4)).next_deadline(), Some(now + HEARTBEAT));
    assert_eq!(resumed(None).handle(Event::Tick, now), [Action::Start(5)]);
}

#[test]
fn worker_without_heartbeat_is_aborted_then_killed_then_started_again() {
    let mut run = Run::serving();
    run.clock.advance(Duration::from_secs(9));
    run.on(Event::Beat(1));
    assert_eq!(run.tick(), (HEARTBEAT, vec![Action::Abort(1)]));
    assert_eq!(run.tick(), (Duration::from_secs(2), vec![Action::Kill(1)]));
    run.on(Event::Ended(1, killed()));
    assert_eq!(run.tick(), (Duration::ZERO, vec![Action::Start(2)]));
    assert_eq!(run.tick(), (START, vec![Action::Abort(2)]));
}

#[test]
fn upgrade_drains_the_old_worker_once_the_new_one_is_ready() {
    let mut run = Run::serving();
    assert_eq!(run.on(Event::Upgrade(Some(1))), [Action::Start(2)]);
    let refused = run.on(Event::Upgrade(Some(1)));
    assert!(matches!(&refused[..], [Action::Answer(1, Err(why))] if why.contains("is starting")));
    let ready = run.on(Event::Ready(2));
    assert!(matches!(
        &ready[..],
        [
            Action::Keep(2),
            Action::Serving(2),
            Action::Answer(1, Ok(_)),
            Action::Drain(1, true),
            Action::Become(2)
        ]
    ));
    assert_eq!(run.on(Event::Ended(1, Ended::Exit(0))), []);
    assert_eq!(run.supervisor.active(), Some(2));
}

#[test]
fn failed_upgrade_leaves_the_worker_and_says_why() {
    let mut run = Run::serving();
    run.on(Event::Upgrade(Some(1)));
    run.on(Event::Failed(2, "error: there is no option 'x'".to_owned()));
    let failed = run.on(Event::Ended(2, Ended::Exit(2)));
    let [Action::Discard(2), Action::Answer(1, Err(why))] = &failed[..] else {
        panic!("{failed:?}")
    };
    assert_eq!(why, "not upgraded: worker 2 did not start: there is no option 'x'");
    assert_eq!(run.supervisor.active(), Some(1));
}

#[test]
fn drain_by_signal_starts_another_worker() {
    let mut run = Run::serving();
    assert_eq!(run.on(Event::Draining(1)), [Action::Start(2)]);
    run.on(Event::Ready(2));
    assert_eq!(run.on(Event::Ended(1, Ended::Exit(0))), []);
}

#[test]
fn stop_drains_and_exits_with_the_code_of_the_worker() {
    let mut run = Run::serving();
    assert_eq!(run.on(Event::Stop), [Action::Close, Action::Drain(1, false)]);
    assert_eq!(run.on(Event::Draining(1)), []);
    assert_eq!(run.on(Event::StopAtOnce), [Action::Stop(1)]);
    assert_eq!(run.on(Event::Ended(1, Ended::Exit(1))), [Action::Exit(1)]);
}

#[test]
fn messages_round_trip_through_pieces() {
    let reports = [
        Report::Ready(1),
        Report::Beat,
        Report::Failed("two\nlines \\n".to_owned()),
        Report::Reloading,
        Report::Reloaded("reloaded".to_owned()),
        Report::Draining,
        Report::Upgrade,
    ];
    let text: String = reports.iter().map(|report| format!("{report}\n")).collect();
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    text.as_bytes().chunks(3).for_each(|piece| found.extend(lines.add::<Report>(piece)));
    assert_eq!(found, reports);
    let answers = [Ok("yes".to_owned()), Err("no\nnever".to_owned())].map(Order::Answer);
    for order in [Order::Drain, Order::HandOver, Order::Stop].into_iter().chain(answers) {
        assert_eq!(order.to_string().parse(), Ok(order));
    }
}

#[test]
fn long_and_unknown_lines_are_dropped() {
    let mut lines = Lines::default();
    assert_eq!(lines.add::<Report>(&[b'x'; 100_000]), []);
    assert_eq!(lines.add::<Report>(b"\nbeat\nnonsense\n\xff\nbeat"), [Report::Beat]);
    let long = Report::Failed("ä\n".repeat(100_000)).to_string();
    assert!(long.len() < super::link::LONGEST);
}

#[test]
fn state_round_trips_and_wrong_lines_are_rejected() {
    let file = FileId { path: PathBuf::from("/run/a b\nc.sock"), device: 5, inode: 6 };
    let handed = Handed {
        worker: Some((3, 4, Duration::from_millis(2500))),
        last: 7,
        running: vec![RunningWorker { number: 6, pid: 99, link: 9, is_active: true }],
        sockets: vec![
            Socket { descriptor: 10, key: "127.0.0.1:0".to_owned(), file: None },
            Socket { descriptor: 11, key: "unix:/run/a b\nc.sock".to_owned(), file: Some(file) },
        ],
    };
    assert_eq!(handed.to_string().parse(), Ok(handed));
    for text in
        ["", "version 2", "version 1\nlast x", "version 1\nsocket 3", "version 1\nfile 1 2 /x"]
    {
        assert!(text.parse::<Handed>().is_err(), "{text}");
    }
}

/// Event of a worker in a random run.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Ready,
    Beat,
    Fail,
    Kill,
    Refuse,
    Drain,
    Upgrade,
    Wait(u16),
}

fn fates() -> impl Strategy<Value = Vec<(Fate, usize)>> {
    let fate = prop_oneof![
        4 => Just(Fate::Ready),
        4 => Just(Fate::Beat),
        1 => Just(Fate::Fail),
        2 => Just(Fate::Kill),
        1 => Just(Fate::Refuse),
        1 => Just(Fate::Drain),
        2 => Just(Fate::Upgrade),
        4 => (0..20_000_u16).prop_map(Fate::Wait),
    ];
    prop::collection::vec((fate, 0..4_usize), 0..120)
}

/// The workers as the system sees them: what is told to accept, to drain, and what has ended.
#[derive(Default)]
struct Model {
    alive: Vec<u32>,
    accepting: Vec<u32>,
    starts_before_service: u32,
    served: bool,
    exited: bool,
}

impl Model {
    fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            assert!(!self.exited, "nothing is done after the end");
            match action {
                Action::Start(number) => {
                    self.alive.push(*number);
                    self.starts_before_service += u32::from(!self.served);
                }
                Action::Serving(number) => {
                    self.served = true;
                    self.accepting.push(*number);
                }
                Action::Drain(number, _) => self.accepting.retain(|other| other != number),
                Action::Abort(number) | Action::Kill(number) => {
                    assert!(self.alive.contains(number), "a signal to a process that has ended");
                }
                Action::Exit(_) => self.exited = true,
                _ => {}
            }
        }
    }

    fn end(&mut self, number: u32) {
        self.alive.retain(|other| *other != number);
        self.accepting.retain(|other| *other != number);
    }
}

proptest! {
    #[test]
    fn one_worker_accepts_or_a_start_is_due(fates in fates()) {
        let (mut run, mut model) = (Run::new(), Model::default());
        model.apply(&run.on(Event::Begin));
        for (fate, at) in fates {
            let number = model.alive.get(at % model.alive.len().max(1)).copied().unwrap_or(0);
            let ended = match fate {
                Fate::Kill => Some(killed()),
                Fate::Refuse => Some(Ended::Exit(2)),
                _ => None,
            };
            if ended.is_some() {
                model.end(number);
            }
            let event = match fate {
                Fate::Ready => Event::Ready(number),
                Fate::Beat => Event::Beat(number),
                Fate::Fail => Event::Failed(number, "why".to_owned()),
                Fate::Kill | Fate::Refuse => Event::Ended(number, ended.unwrap_or_else(killed)),
                Fate::Drain => {
                    model.accepting.retain(|other| *other != number);
                    Event::Draining(number)
                }
                Fate::Upgrade => Event::Upgrade(Some(number)),
                Fate::Wait(time) => {
                    run.clock.advance(Duration::from_millis(time.into()));
                    Event::Tick
                }
            };
            model.apply(&run.on(event));
            if model.exited {
                prop_assert!(!model.served, "a supervisor that has served continues");
                break;
            }
            prop_assert!(model.accepting.len() <= 1, "two workers accept: {:?}", model.accepting);
            prop_assert!(!model.alive.is_empty() || run.supervisor.next_deadline().is_some());
            if model.accepting.is_empty() {
                let starts = model.alive.iter().any(|number| *number == run.supervisor.last());
                prop_assert!(starts || run.supervisor.next_deadline().is_some());
            }
            prop_assert!(model.served || model.starts_before_service <= 5);
        }
    }
}

/// Another binary takes over workers that serve or drain: one that starts would be neither.
#[test]
fn supervisor_is_handed_over_only_while_no_worker_starts() {
    let mut run = Run::serving();
    assert!(run.supervisor.is_settled());
    run.on(Event::Upgrade(None));
    assert!(!run.supervisor.is_settled() && run.supervisor.is_upgrading());
    assert!(run.on(Event::Ready(2)).contains(&Action::Become(2)));
    assert_eq!(run.on(Event::Upgrade(Some(2))), [Action::Start(3)]);
    assert!(!run.supervisor.is_settled(), "worker 3 would be taken for one that drains");
    run.on(Event::Ready(3));
    assert!(run.supervisor.is_settled() && !run.supervisor.is_upgrading());
}
