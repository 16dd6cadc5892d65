//! Order in which the directories of CAs are asked for a certificate.

use std::time::SystemTime;

/// Failures in a row after which the next directory is asked.
const TRIES_EACH: u32 = 2;

/// The directory whose turn it is.
#[derive(Debug)]
pub(super) struct Turn {
    place: usize,
    /// Failures in a row at this directory.
    tries: u32,
    /// For each directory, the time before which it wants no further try.
    closed_until: Vec<SystemTime>,
}

impl Turn {
    /// Returns the turns of so many directories, at least one. The first one begins.
    pub(super) fn new(directories: usize) -> Self {
        let closed_until = vec![SystemTime::UNIX_EPOCH; directories.max(1)];
        Self { place: 0, tries: 0, closed_until }
    }

    /// Returns the place of the directory to ask.
    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// Begins with the first directory again.
    pub(super) fn restart(&mut self) {
        (self.place, self.tries) = (0, 0);
    }

    /// Records a failure of the present directory, which wants no further try before `retry_after`.
    /// Returns the time of the next attempt, which is `at` or, if all directories are closed then, the
    /// time at which the first one opens.
    pub(super) fn fail(&mut self, retry_after: Option<SystemTime>, at: SystemTime) -> SystemTime {
        self.tries += 1;
        if let Some(until) = retry_after {
            self.closed_until[self.place] = until;
        }
        if self.tries >= TRIES_EACH || self.closed_until[self.place] > at {
            let count = self.closed_until.len();
            let others = (1..=count).map(|step| (self.place + step) % count);
            let next = others.min_by_key(|&place| self.closed_until[place].max(at));
            (self.place, self.tries) = (next.unwrap_or(0), 0);
        }
        self.closed_until[self.place].max(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn next_directory_is_asked_after_two_failures() {
        let mut turn = Turn::new(2);
        let places: Vec<usize> = (1..=5)
            .map(|second| {
                assert_eq!(turn.fail(None, at(second)), at(second));
                turn.place()
            })
            .collect();
        assert_eq!(places, [0, 1, 1, 0, 0]);
        turn.fail(None, at(6));
        turn.restart();
        assert_eq!(turn.place(), 0);
    }

    #[test]
    fn closed_directory_does_not_delay_the_others() {
        let mut turn = Turn::new(2);
        assert_eq!((turn.fail(Some(at(1000)), at(10)), turn.place()), (at(10), 1));
        assert_eq!((turn.fail(None, at(20)), turn.place()), (at(20), 1));
        // The second directory has had its tries, and the first one is closed.
        assert_eq!((turn.fail(None, at(30)), turn.place()), (at(30), 1));
        assert_eq!((turn.fail(Some(at(500)), at(40)), turn.place()), (at(500), 1));
        assert_eq!((turn.fail(Some(at(2000)), at(600)), turn.place()), (at(1000), 0));
    }

    #[test]
    fn only_directory_is_asked_when_it_opens() {
        let mut turn = Turn::new(1);
        assert_eq!((turn.fail(Some(at(90)), at(60)), turn.place()), (at(90), 0));
        assert_eq!((turn.fail(None, at(100)), turn.place()), (at(100), 0));
    }
}
