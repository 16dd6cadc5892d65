//! An alarm that is raised once for each time that a disk comes to fill up.

use std::time::Duration;

use super::outlook::Outlook;

/// Alarm before a disk is full.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// Time before the disk is full at which the alarm is raised.
    before: Duration,
    is_raised: bool,
}

impl Alarm {
    /// Creates an alarm for less than `before` until the disk is full.
    #[must_use]
    pub const fn new(before: Duration) -> Self {
        Self { before, is_raised: false }
    }

    /// Takes the present outlook. Returns true if the operator is to be warned: once, until the time was half as
    /// much again as that of the alarm, because a forecast that moves to and fro is no news.
    pub fn is_due(&mut self, outlook: Outlook) -> bool {
        let limit = if self.is_raised { self.before + self.before / 2 } else { self.before };
        let was_raised = self.is_raised;
        self.is_raised = outlook.full_in().is_some_and(|time| time < limit);
        self.is_raised && !was_raised
    }
}
