//! Limits of counted work: a drive or a turn of a program that exceeds them panics.

use crate::reactor::{App, Event, Reactor};
use crate::work;

/// Steps allowed in one drive: about two milliseconds.
const DRIVE: u64 = 2_000_000;
/// Steps allowed in one turn: about ten milliseconds.
const TURN: u64 = 10_000_000;

/// A program wrapped for one turn, in which each drive and the turn as a whole are limited in
/// [counted work](crate::work).
#[derive(Debug)]
pub struct Metered<'a, A> {
    program: &'a mut A,
    began: u64,
}

impl<'a, A> Metered<'a, A> {
    /// Begins to count the steps of a turn of `program`.
    pub fn new(program: &'a mut A) -> Self {
        Self { program, began: work::counted() }
    }

    /// Ends the turn and returns its steps.
    ///
    /// # Panics
    /// Panics if the turn has taken more than 10,000,000 steps.
    pub fn end(self) -> u64 {
        let steps = work::counted() - self.began;
        assert!(steps <= TURN, "a turn took {steps} steps, limit {TURN}");
        steps
    }
}

impl<A: App> App for Metered<'_, A> {
    type Mail = A::Mail;

    /// Passes `event` to the program.
    ///
    /// # Panics
    /// Panics if that takes more than 2,000,000 steps.
    fn handle(&mut self, reactor: &mut Reactor<A::Mail>, event: Event<A::Mail>) {
        let driven = match &event {
            Event::Drive(token, why) => Some((*token, *why)),
            Event::Mail(_) | Event::Signal(_) => None,
        };
        let before = work::counted();
        self.program.handle(reactor, event);
        let steps = work::counted() - before;
        assert!(steps <= DRIVE, "a drive took {steps} steps, limit {DRIVE}: {driven:?}");
    }
}
