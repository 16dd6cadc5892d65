//! Names and their addresses: what is known, what is being asked, and who waits for it.
//!
//! Knows no socket, thread or clock; who asks the question is somebody else.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A question that has no answer after this time is taken for lost, and asked again.
const LOST: Duration = Duration::from_secs(60);

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
    /// How many names are kept.
    pub names: usize,
    /// How many names are asked for at a time.
    pub asked: usize,
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
    asked: usize,
}

/// A name that is asked for, or was.
#[derive(Debug)]
struct Entry<W> {
    /// Those who have asked, and have neither taken the answer nor left.
    waiters: BTreeSet<W>,
    answer: Option<Answer>,
    /// When it was answered, or asked for.
    since: Instant,
}

impl<W> Entry<W> {
    /// Whether there is an answer that holds, or that somebody has still to take.
    fn is_known(&self, limits: &NameLimits, now: Instant) -> bool {
        let kept = match &self.answer {
            None => return false,
            Some(Ok(_)) => limits.answer,
            Some(Err(_)) => limits.failure,
        };
        !self.waiters.is_empty() || now < self.since + kept
    }

    /// Whether an answer is still expected, and by somebody.
    fn is_pending(&self, now: Instant) -> bool {
        self.answer.is_none() && (!self.waiters.is_empty() || now < self.since + LOST)
    }
}

impl<W: Ord> Names<W> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: NameLimits) -> Self {
        Self { limits, names: HashMap::new(), asked: 0 }
    }

    /// Changes how long answers are kept, and how many, also of those that are known.
    pub const fn set_limits(&mut self, limits: NameLimits) {
        self.limits = limits;
    }

    /// What is known of `name`; if nothing is, `waiter` is remembered until it has looked up again
    /// what was [`answered`](Self::answered), or [`leave`](Self::leave)s. Callers for one name share
    /// one question, and get its answer however short it is kept.
    pub fn look_up(&mut self, name: &str, waiter: W, now: Instant) -> Lookup {
        if let Some(entry) = self.names.get_mut(name) {
            if entry.is_known(&self.limits, now)
                && let Some(answer) = &entry.answer
            {
                entry.waiters.remove(&waiter);
                return Lookup::Known(answer.clone());
            }
            if entry.answer.is_none() {
                entry.waiters.insert(waiter);
                let lost = now >= entry.since + LOST;
                if lost {
                    entry.since = now;
                }
                return if lost { Lookup::Ask } else { Lookup::Waiting };
            }
        }
        if self.asked >= self.limits.asked {
            self.sweep(now);
        }
        if self.asked >= self.limits.asked {
            return Lookup::Overloaded;
        }
        self.make_room(now);
        self.asked += 1;
        let entry = Entry { waiters: BTreeSet::from([waiter]), answer: None, since: now };
        self.names.insert(name.to_owned(), entry);
        Lookup::Ask
    }

    /// Takes the answer for `name`, and says who has waited for it.
    pub fn answered(&mut self, name: &str, answer: Answer, now: Instant) -> Vec<W>
    where
        W: Copy,
    {
        let Some(entry) = self.names.get_mut(name) else { return Vec::new() };
        if entry.answer.replace(answer).is_some() {
            return Vec::new(); // asked twice, as the first question seemed lost
        }
        entry.since = now;
        self.asked -= 1;
        entry.waiters.iter().copied().collect()
    }

    /// `waiter` does not want to know any more. Whether it was the last who did, and the question
    /// is still open: then it may be taken back, and be [forgotten](Self::forget) here.
    pub fn leave(&mut self, name: &str, waiter: &W) -> bool {
        let Some(entry) = self.names.get_mut(name) else { return false };
        entry.waiters.remove(waiter) && entry.waiters.is_empty() && entry.answer.is_none()
    }

    /// The question for `name` will not be answered.
    pub fn forget(&mut self, name: &str) {
        if self.names.remove(name).is_some_and(|entry| entry.answer.is_none()) {
            self.asked -= 1;
        }
    }

    /// Drops what has expired once the table is full, and if that is not enough, all answers that
    /// nobody waits for.
    fn make_room(&mut self, now: Instant) {
        if self.names.len() >= self.limits.names {
            self.sweep(now);
        }
        if self.names.len() >= self.limits.names {
            self.names.retain(|_, entry| entry.answer.is_none() || !entry.waiters.is_empty());
        }
    }

    /// Drops answers that have expired, and questions that seem lost and that nobody waits for.
    fn sweep(&mut self, now: Instant) {
        let limits = self.limits;
        self.names.retain(|_, entry| entry.is_known(&limits, now) || entry.is_pending(now));
        self.asked = self.names.values().filter(|entry| entry.answer.is_none()).count();
    }
}

#[cfg(test)]
mod tests {
    use crate::reactor::{Clock, VirtualClock};

    use super::*;

    const LIMITS: NameLimits = NameLimits {
        answer: Duration::from_secs(30),
        failure: Duration::from_secs(5),
        names: 3,
        asked: 2,
    };

    fn address() -> Answer {
        Ok([IpAddr::from([192, 0, 2, 1])].into())
    }

    fn now() -> Instant {
        VirtualClock::default().now().mono
    }

    /// `waiter` asks for `name`, is told, and takes the answer.
    fn resolve(names: &mut Names<u32>, name: &str, answer: &Answer, now: Instant) {
        assert_eq!(names.look_up(name, 1, now), Lookup::Ask);
        assert_eq!(names.answered(name, answer.clone(), now), [1]);
        assert_eq!(names.look_up(name, 1, now), Lookup::Known(answer.clone()));
    }

    #[test]
    fn callers_for_one_name_share_one_question() {
        let (mut names, now) = (Names::new(LIMITS), now());
        assert_eq!(names.look_up("a", 1, now), Lookup::Ask);
        assert_eq!(names.look_up("a", 2, now), Lookup::Waiting);
        assert_eq!(names.look_up("a", 2, now), Lookup::Waiting, "woken for nothing");
        assert_eq!(names.answered("a", address(), now), [1, 2]);
        assert_eq!(names.look_up("a", 3, now), Lookup::Known(address()));
        assert!(names.answered("a", address(), now).is_empty(), "an answer nobody waits for");
    }

    #[test]
    fn answers_and_failures_are_kept_for_their_time() {
        let (mut names, now) = (Names::new(LIMITS), now());
        let failure = Err(NameError("no such name".into()));
        resolve(&mut names, "a", &address(), now);
        resolve(&mut names, "b", &failure, now);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(names.look_up("b", 1, at(4)), Lookup::Known(failure));
        assert_eq!(names.look_up("b", 1, at(5)), Lookup::Ask);
        assert_eq!(names.look_up("a", 1, at(29)), Lookup::Known(address()));
        names.set_limits(NameLimits { answer: Duration::from_secs(40), ..LIMITS });
        assert_eq!(names.look_up("a", 1, at(30)), Lookup::Known(address()));
        assert_eq!(names.look_up("a", 1, at(40)), Lookup::Ask);
    }

    #[test]
    fn who_has_waited_gets_an_answer_that_is_not_kept() {
        let limits = NameLimits { answer: Duration::ZERO, ..LIMITS };
        let (mut names, now) = (Names::new(limits), now());
        names.look_up("a", 1, now);
        names.look_up("a", 2, now);
        names.answered("a", address(), now);
        assert_eq!(names.look_up("a", 1, now), Lookup::Known(address()));
        assert!(!names.leave("a", &2), "there is no question left");
        assert_eq!(names.look_up("a", 3, now), Lookup::Ask);
    }

    #[test]
    fn questions_and_answers_have_bounds_of_their_own() {
        let (mut names, now) = (Names::new(LIMITS), now());
        names.look_up("a", 1, now);
        names.look_up("b", 1, now);
        assert_eq!(names.look_up("c", 1, now), Lookup::Overloaded);
        assert_eq!(names.look_up("b", 2, now), Lookup::Waiting);
        names.answered("a", address(), now);
        names.leave("a", &1);
        for name in ["c", "d", "e"] {
            resolve(&mut names, name, &address(), now);
            assert!(names.names.len() <= 3);
        }
    }

    #[test]
    fn a_question_that_nobody_waits_for_can_be_taken_back() {
        let (mut names, now) = (Names::new(LIMITS), now());
        names.look_up("a", 1, now);
        names.look_up("a", 2, now);
        assert!(!names.leave("a", &1));
        assert!(!names.leave("a", &1), "it has left");
        assert!(names.leave("a", &2));
        names.forget("a");
        assert_eq!(names.look_up("a", 3, now), Lookup::Ask);
        assert_eq!(names.asked, 1);
    }

    #[test]
    fn a_question_that_is_lost_is_asked_again_and_its_place_given_to_others() {
        let (mut names, now) = (Names::new(LIMITS), now());
        names.look_up("a", 1, now);
        names.look_up("b", 1, now);
        assert!(names.leave("a", &1));
        assert_eq!(names.look_up("c", 1, now), Lookup::Overloaded);
        assert_eq!(names.look_up("b", 2, now + LOST), Lookup::Ask);
        assert_eq!(names.look_up("b", 3, now + LOST), Lookup::Waiting);
        assert_eq!(names.look_up("c", 1, now + LOST), Lookup::Ask);
        assert!(names.answered("a", address(), now + LOST).is_empty(), "too late");
        assert_eq!(names.asked, 2);
    }
}
