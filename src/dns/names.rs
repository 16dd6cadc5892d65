//! Names and their addresses: what is known, what is being asked, and who waits for it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A question that has no answer after this time is taken for lost, and asked again.
const LOST: Duration = Duration::from_secs(60);

/// How often lost questions are looked for, while there are too many.
const SEEK: Duration = Duration::from_secs(1);

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It could be none.
    NotAName,
    /// It does not exist.
    NoSuchName,
    /// It exists, and has no address.
    NoAddress,
    /// The servers could not be asked, or have not answered: which, and why.
    Unanswered(String),
    /// What the system's resolver says, which tells none of these apart.
    System(String),
    /// Too many names are being asked for.
    Overloaded,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAName => "not a host name",
            Self::NoSuchName => "no such name",
            Self::NoAddress => "no address",
            Self::Unanswered(text) | Self::System(text) => text,
            Self::Overloaded => "too many names are being looked up",
        })
    }
}

impl std::error::Error for NameError {}

/// The addresses of a name, in the order in which they are to be tried.
pub type Answer = Result<Arc<[IpAddr]>, NameError>;

/// How long answers are kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct NameLimits {
    /// How long addresses are kept if their source does not say.
    pub answer: Duration,
    /// How long addresses are kept at least and at most, whatever their source says.
    pub ttl: (Duration, Duration),
    /// How long it is kept at most that a name has none.
    pub negative: Duration,
    /// How long a failure is kept, or that a name has none if its source does not say.
    pub failure: Duration,
    /// How long addresses that have expired serve on while nobody can be asked (RFC 8767).
    pub stale: Duration,
    /// How long a question may be open before they do.
    pub patience: Duration,
    /// How long they do before somebody is asked again.
    pub recheck: Duration,
    /// How many names are kept.
    pub names: usize,
    /// How many names are asked for at a time.
    pub asked: usize,
}

/// What to do about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is known.
    Answer(Answer),
    /// It is being asked already; the waiter is told.
    Waiting,
    /// Ask; the waiter is told.
    Ask,
}

/// A table of names; `W` names who waits.
#[derive(Debug)]
pub struct Names<W> {
    limits: NameLimits,
    names: HashMap<String, Entry<W>>,
    asked: usize,
    /// When lost questions were looked for.
    sought: Option<Instant>,
}

/// A name that is asked for, or was.
#[derive(Debug)]
struct Entry<W> {
    /// Those who have asked, and have neither taken the answer nor left.
    waiters: BTreeSet<W>,
    answer: Option<Kept>,
    /// Since when it is asked for, if it is.
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    since: Instant,
    /// How long its source says that it holds.
    ttl: Option<Duration>,
    /// When somebody is to be asked again, if nobody could say.
    recheck: Option<Instant>,
}

impl Kept {
    /// Until when it serves without a question.
    fn until(&self, limits: &NameLimits) -> Instant {
        let fresh = self.since + limits.lifetime(&self.answer, self.ttl);
        self.recheck.map_or(fresh, |at| at.min(self.stale_until(limits)))
    }

    /// Until when it serves if nobody can be asked.
    fn stale_until(&self, limits: &NameLimits) -> Instant {
        let serves_on = self.answer.is_ok() && self.ttl.is_some();
        let stale = if serves_on { limits.stale } else { Duration::ZERO };
        self.since + limits.lifetime(&self.answer, self.ttl) + stale
    }
}

impl<W> Entry<W> {
    /// The answer, if it holds, or if it is what the waiters were told of; or the stale one, if the
    /// question is open for too long.
    fn serves(&self, limits: &NameLimits, now: Instant) -> Option<&Answer> {
        let kept = self.answer.as_ref()?;
        let told = self.asked.is_none() && !self.waiters.is_empty();
        let slow = || self.asked.is_some_and(|since| now >= since + limits.patience);
        let serves = told || now < kept.until(limits) || now < kept.stale_until(limits) && slow();
        serves.then_some(&kept.answer)
    }

    /// Whether it can be dropped: nothing is known that could serve, nobody waits, and no question
    /// is open that is not lost.
    fn is_over(&self, limits: &NameLimits, now: Instant) -> bool {
        let expired = self.answer.as_ref().is_none_or(|kept| now >= kept.stale_until(limits));
        let asked = self.asked.is_some_and(|since| now < since + LOST);
        expired && !asked && self.waiters.is_empty()
    }
}

impl<W: Ord> Names<W> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: NameLimits) -> Self {
        Self { limits, names: HashMap::new(), asked: 0, sought: None }
    }

    /// Changes how long answers are kept, and how many, also of those that are known.
    pub const fn set_limits(&mut self, limits: NameLimits) {
        self.limits = limits;
    }

    /// What is known of `name`; if nothing is, `waiter` is remembered until it has looked up again
    /// what was [`answered`](Self::answered), or [`leave`](Self::leave)s. Callers for one name share
    /// one question, and get its answer however short it is kept.
    pub fn look_up(&mut self, name: &str, waiter: W, now: Instant) -> Known {
        if let Some(entry) = self.names.get_mut(name) {
            if let Some(answer) = entry.serves(&self.limits, now) {
                let answer = answer.clone();
                entry.waiters.remove(&waiter);
                return Known::Answer(answer);
            }
            if let Some(since) = entry.asked {
                entry.waiters.insert(waiter);
                let lost = now >= since + LOST;
                if lost {
                    entry.asked = Some(now);
                }
                return if lost { Known::Ask } else { Known::Waiting };
            }
        }
        if self.asked >= self.limits.asked && self.sought.is_none_or(|at| now >= at + SEEK) {
            self.sought = Some(now);
            self.sweep(now);
        }
        if self.asked >= self.limits.asked {
            return Known::Answer(Err(NameError::Overloaded));
        }
        self.asked += 1;
        if let Some(entry) = self.names.get_mut(name) {
            entry.waiters.insert(waiter);
            entry.asked = Some(now);
            return Known::Ask;
        }
        self.make_room(now);
        let entry = Entry { waiters: BTreeSet::from([waiter]), answer: None, asked: Some(now) };
        self.names.insert(name.to_owned(), entry);
        Known::Ask
    }

    /// Takes what there is of an answer while the rest is still being asked for, and says who has
    /// waited for it.
    pub fn answered_early(
        &mut self,
        name: &str,
        answer: Answer,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Vec<W>
    where
        W: Copy,
    {
        let limits = self.limits;
        let Some(entry) = self.names.get_mut(name) else { return Vec::new() };
        if entry.asked.is_none() {
            return Vec::new(); // asked twice, as the first question seemed lost
        }
        match (&answer, &mut entry.answer) {
            // Nobody could say: what was known before serves on.
            (Err(NameError::Unanswered(_)), Some(kept)) if now < kept.stale_until(&limits) => {
                kept.recheck = Some(now + limits.recheck);
            }
            _ => entry.answer = Some(Kept { answer, since: now, ttl, recheck: None }),
        }
        match entry.serves(&limits, now) {
            Some(_) => entry.waiters.iter().copied().collect(),
            None => Vec::new(),
        }
    }

    /// Takes the answer for `name`, which holds for `ttl` if its source says so, and says who has
    /// waited for it.
    pub fn answered(
        &mut self,
        name: &str,
        answer: Answer,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Vec<W>
    where
        W: Copy,
    {
        self.answered_early(name, answer, ttl, now);
        let Some(entry) = self.names.get_mut(name) else { return Vec::new() };
        if entry.asked.take().is_none() {
            return Vec::new();
        }
        self.asked -= 1;
        entry.waiters.iter().copied().collect()
    }

    /// When those who wait for `name` get an answer that has expired, if there is one and the
    /// question is still open then.
    #[must_use]
    pub fn stale_at(&self, name: &str) -> Option<Instant> {
        let entry = self.names.get(name)?;
        let at = entry.asked? + self.limits.patience;
        entry.answer.as_ref().filter(|kept| at < kept.stale_until(&self.limits)).map(|_| at)
    }

    /// Who waits for `name`.
    pub fn waiters(&self, name: &str) -> impl Iterator<Item = &W> {
        self.names.get(name).into_iter().flat_map(|entry| &entry.waiters)
    }

    /// How many names are known or asked for, and how many of them are asked for.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.names.len(), self.asked)
    }

    /// How long what is known of `name` serves without another question.
    #[must_use]
    pub fn lifetime(&self, name: &str, now: Instant) -> Option<Duration> {
        let kept = self.names.get(name)?.answer.as_ref()?;
        Some(kept.until(&self.limits).saturating_duration_since(now))
    }

    /// `waiter` does not want to know any more. Whether it was the last who did, and the question
    /// is still open: then it may be taken back, and be [forgotten](Self::forget) here.
    pub fn leave(&mut self, name: &str, waiter: &W) -> bool {
        let Some(entry) = self.names.get_mut(name) else { return false };
        entry.waiters.remove(waiter) && entry.waiters.is_empty() && entry.asked.is_some()
    }

    /// The question for `name` will not be answered.
    pub fn forget(&mut self, name: &str) {
        if self.names.remove(name).is_some_and(|entry| entry.asked.is_some()) {
            self.asked -= 1;
        }
    }

    /// Drops every answer: it came from somebody who is not asked any more. Who has still to take one
    /// takes it.
    pub fn clear(&mut self) {
        self.names.retain(|_, entry| {
            if entry.asked.is_some() {
                entry.answer = None;
            }
            entry.asked.is_some() || !entry.waiters.is_empty()
        });
    }

    /// Drops what has expired once the table is full, and if that is not enough, all answers that
    /// nobody waits for.
    fn make_room(&mut self, now: Instant) {
        if self.names.len() >= self.limits.names {
            self.sweep(now);
        }
        if self.names.len() >= self.limits.names {
            self.names.retain(|_, entry| entry.asked.is_some() || !entry.waiters.is_empty());
        }
    }

    /// Drops answers that have expired, and questions that seem lost and that nobody waits for.
    fn sweep(&mut self, now: Instant) {
        let limits = self.limits;
        self.names.retain(|_, entry| !entry.is_over(&limits, now));
        self.asked = self.names.values().filter(|entry| entry.asked.is_some()).count();
    }
}

impl NameLimits {
    /// How long `answer` serves of which its source says `ttl`.
    fn lifetime(&self, answer: &Answer, ttl: Option<Duration>) -> Duration {
        let (least, most) = self.ttl;
        match (answer, ttl) {
            (Ok(_), None) => self.answer,
            (Ok(_), Some(ttl)) => ttl.max(least).min(most),
            (Err(NameError::NoSuchName | NameError::NoAddress), Some(ttl)) => {
                ttl.max(least).min(self.negative)
            }
            (Err(_), _) => self.failure,
        }
    }
}
