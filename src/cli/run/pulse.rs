//! Signs of life of the loop: a loop that hangs gives none.

use std::time::Duration;

use crate::proxy::Mail;
use crate::reactor::{Arena, Driven, Reactor, Token};

use super::overseer::Overseer;

/// Timer of the loop.
#[derive(Debug)]
pub(super) struct Pulse {
    token: Token,
    interval: Duration,
}

/// Object that the timer drives.
struct Timer;

impl Driven for Timer {
    const KIND: u8 = 15; // above those of the proxy
}

impl Pulse {
    /// Begins to give signs of life, if the `overseer` wants any.
    pub(super) fn begin(overseer: &Overseer, reactor: &mut Reactor<Mail>) -> Option<Self> {
        let interval = overseer.interval()?;
        let pulse = Self { token: Arena::new().insert(Timer).token(), interval };
        pulse.beat(overseer, reactor);
        Some(pulse)
    }

    /// Returns true if `token` is that of the timer.
    pub(super) fn is_at(&self, token: Token) -> bool {
        self.token == token
    }

    /// Gives a sign of life, and sets the time of the next one.
    pub(super) fn beat(&self, overseer: &Overseer, reactor: &mut Reactor<Mail>) {
        overseer.beat();
        reactor.set_deadline(self.token, Some(reactor.now().mono + self.interval));
    }
}
