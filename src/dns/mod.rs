//! Names and their addresses: what is known, what is being asked, and who waits for it.
//!
//! Knows no socket, thread or clock; who asks the question is somebody else.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(pub String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// The addresses of a name, in the order in which they are to be tried.
pub type Answer = Result<Arc<[IpAddr]>, NameError>;

/// How long answers are kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct NameLimits {
    /// How long addresses are kept.
    pub answer: Duration,
    /// How long a failure is kept.
    pub failure: Duration,
    /// How many names are kept or asked at a time.
    pub names: usize,
}

/// What to do about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is known.
    Known(Answer),
    /// It is being asked already; the waiter is told.
    Waiting,
    /// Ask; the waiter is told.
    Ask,
    /// Too many are being asked.
    Overloaded,
}

/// A table of names; `W` names who waits.
#[derive(Debug)]
pub struct Names<W> {
    limits: NameLimits,
    names: HashMap<String, Entry<W>>,
    pending: usize,
}

#[derive(Debug)]
enum Entry<W> {
    Pending(Vec<W>),
    Known { answer: Answer, until: Instant },
}

impl<W> Names<W> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: NameLimits) -> Self {
        Self { limits, names: HashMap::new(), pending: 0 }
    }

    /// What is known of `name`; if nothing is, `waiter` is remembered until it is
    /// [`answered`](Self::answered). Callers for one name share one question.
    pub fn look_up(&mut self, name: &str, waiter: W, now: Instant) -> Lookup {
        match self.names.get_mut(name) {
            Some(Entry::Pending(waiters)) => {
                waiters.push(waiter);
                return Lookup::Waiting;
            }
            Some(Entry::Known { answer, until }) if now < *until => {
                return Lookup::Known(answer.clone());
            }
            _ => {}
        }
        if self.pending >= self.limits.names {
            return Lookup::Overloaded;
        }
        self.make_room(now);
        self.pending += 1;
        self.names.insert(name.to_owned(), Entry::Pending(vec![waiter]));
        Lookup::Ask
    }

    /// Takes the answer for `name`, and says who has waited for it.
    pub fn answered(&mut self, name: &str, answer: Answer, now: Instant) -> Vec<W> {
        let kept = if answer.is_ok() { self.limits.answer } else { self.limits.failure };
        let known = Entry::Known { answer, until: now + kept };
        match self.names.insert(name.to_owned(), known) {
            Some(Entry::Pending(waiters)) => {
                self.pending -= 1;
                waiters
            }
            _ => Vec::new(),
        }
    }

    /// Drops what has expired once the table is full, and if that is not enough, all answers.
    fn make_room(&mut self, now: Instant) {
        if self.names.len() < self.limits.names {
            return;
        }
        self.names.retain(|_, entry| match entry {
            Entry::Pending(_) => true,
            Entry::Known { until, .. } => now < *until,
        });
        if self.names.len() >= self.limits.names {
            self.names.retain(|_, entry| matches!(entry, Entry::Pending(_)));
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
mod tests {
    use super::*;

    const LIMITS: NameLimits =
        NameLimits { answer: Duration::from_secs(30), failure: Duration::from_secs(5), names: 2 };

    fn address() -> Answer {
        Ok([IpAddr::from([192, 0, 2, 1])].into())
    }

    #[test]
    fn callers_for_one_name_share_one_question() {
        let (mut names, now) = (Names::new(LIMITS), Instant::now());
        assert_eq!(names.look_up("a", 1, now), Lookup::Ask);
        assert_eq!(names.look_up("a", 2, now), Lookup::Waiting);
        assert_eq!(names.answered("a", address(), now), [1, 2]);
        assert_eq!(names.look_up("a", 3, now), Lookup::Known(address()));
        assert!(names.answered("a", address(), now).is_empty(), "an answer nobody waits for");
    }

    #[test]
    fn answers_and_failures_are_kept_for_their_time() {
        let (mut names, now) = (Names::new(LIMITS), Instant::now());
        names.look_up("a", 1, now);
        names.answered("a", address(), now);
        names.look_up("b", 1, now);
        names.answered("b", Err(NameError("no such name".into())), now);
        assert!(matches!(
            names.look_up("b", 1, now + Duration::from_secs(4)),
            Lookup::Known(Err(_))
        ));
        assert_eq!(names.look_up("b", 1, now + Duration::from_secs(5)), Lookup::Ask);
        assert_eq!(names.look_up("a", 1, now + Duration::from_secs(29)), Lookup::Known(address()));
        assert_eq!(names.look_up("a", 1, now + Duration::from_secs(30)), Lookup::Ask);
    }

    #[test]
    fn the_table_has_a_bound() {
        let (mut names, now) = (Names::new(LIMITS), Instant::now());
        names.look_up("a", 1, now);
        names.look_up("b", 1, now);
        assert_eq!(names.look_up("c", 1, now), Lookup::Overloaded);
        names.answered("a", address(), now);
        names.answered("b", address(), now);
        assert_eq!(names.look_up("c", 1, now), Lookup::Ask);
        assert!(names.names.len() <= 2);
    }
}
