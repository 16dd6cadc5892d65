//! A shipper with its surroundings: a clock, a server that fails on demand, and files.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidegate::reactor::{Clock, VirtualClock};
use tidegate::shipping::{
    Answer, Segment, ShipAction, ShipEvent, ShipLimits, Shipper, decode_segment, encode_segment,
};

/// Limits with batches of 100 bytes.
pub(crate) const LIMITS: ShipLimits =
    ShipLimits { batch: 100, age: Duration::from_secs(1), memory: 1000, spool: 0 };

/// Surroundings of a shipper.
pub(crate) struct World {
    pub(crate) shipper: Shipper,
    pub(crate) now: Instant,
    /// The batch in flight.
    pub(crate) sent: Option<String>,
    /// Numbers of the batches that were sent, in order.
    pub(crate) numbers: Vec<u64>,
    /// Lines that the server has taken.
    pub(crate) taken: Vec<String>,
    /// Files of the spool.
    pub(crate) files: BTreeMap<u64, Vec<u8>>,
    pub(crate) said: Vec<String>,
    /// True if files cannot be written.
    pub(crate) disk_is_full: bool,
}

impl World {
    pub(crate) fn new(limits: ShipLimits) -> Self {
        Self {
            shipper: Shipper::new(limits),
            now: VirtualClock::default().now().mono,
            sent: None,
            numbers: Vec::new(),
            taken: Vec::new(),
            files: BTreeMap::new(),
            said: Vec::new(),
            disk_is_full: false,
        }
    }

    /// Creates surroundings with a spool, which has `files`.
    pub(crate) fn spooling(limits: ShipLimits, files: BTreeMap<u64, Vec<u8>>) -> Self {
        let mut world = Self { files, ..Self::new(limits) };
        let list = |(&number, file): (&u64, &Vec<u8>)| Segment {
            number,
            bytes: file.len() as u64,
            lines: 0,
        };
        let segments = world.files.iter().map(list).collect();
        world.handle(ShipEvent::Opened(segments));
        world
    }

    pub(crate) fn handle(&mut self, event: ShipEvent<'_>) {
        let mut actions = self.shipper.handle(event, self.now);
        while !actions.is_empty() {
            let mut further = Vec::new();
            for action in actions {
                if let Some(event) = self.perform(action) {
                    further.extend(self.shipper.handle(event, self.now));
                }
            }
            actions = further;
        }
    }

    fn perform(&mut self, action: ShipAction) -> Option<ShipEvent<'static>> {
        match action {
            ShipAction::Send(number, text) => {
                assert_eq!(self.sent.replace(text), None, "one batch is in flight at a time");
                self.numbers.push(number);
            }
            ShipAction::Store(number, _) if self.disk_is_full => {
                return Some(ShipEvent::NotStored(number, "no space left".to_owned()));
            }
            ShipAction::Store(number, text) => {
                let before = self.files.insert(number, encode_segment(&text));
                assert_eq!(before, None, "no file is overwritten");
            }
            ShipAction::Load(number) => {
                return Some(match decode_segment(&self.files[&number]) {
                    Ok(text) => ShipEvent::Loaded(text),
                    Err(lines) => ShipEvent::NotLoaded(lines, "a file is damaged".to_owned()),
                });
            }
            ShipAction::Remove(number) => assert!(self.files.remove(&number).is_some()),
            ShipAction::Say(text) => self.said.push(text),
        }
        None
    }

    /// Ships the line `line NUMBER`, which has 9 bytes with its end.
    pub(crate) fn line(&mut self, number: u32) {
        self.handle(ShipEvent::Lines(&format!("line{number:4}\n")));
    }

    pub(crate) fn lines(&mut self, numbers: std::ops::Range<u32>) {
        numbers.for_each(|number| self.line(number));
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        let sent = self.sent.take().expect("a batch is in flight");
        if answer == Answer::Taken(0) {
            self.taken.extend(sent.lines().map(str::to_owned));
        }
        self.handle(ShipEvent::Answered(answer, 0.5));
    }

    pub(crate) fn take(&mut self) {
        self.answer(Answer::Taken(0));
    }

    pub(crate) fn fail(&mut self) {
        self.answer(Answer::Later(Duration::ZERO, "refused".to_owned()));
    }

    /// Lets time pass until the next deadline. Returns false if there is none.
    pub(crate) fn wait(&mut self) -> bool {
        let Some(deadline) = self.shipper.deadline() else { return false };
        self.now = self.now.max(deadline);
        self.handle(ShipEvent::Tick);
        true
    }

    /// Lets a server take everything.
    pub(crate) fn drain(&mut self) {
        loop {
            if self.sent.is_some() {
                self.take();
            } else if !self.wait() {
                return;
            }
        }
    }

    pub(crate) fn numbers_taken(&self) -> Vec<u32> {
        self.taken.iter().map(|line| line[4..].trim().parse().unwrap()).collect()
    }
}
