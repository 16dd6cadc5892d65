//! Cache of names and their addresses: stored answers, open questions, and the waiters for them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::work::{LOOK_UP, count};

use super::entry::{Entry, Place, Places};
use super::known::{Kept, LookupResult, NameError, NameLimits};

/// Age at which an open question counts as lost; the next waiter asks it again.
const LOST: Duration = Duration::from_secs(60);

/// Known addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Addresses of both families, in the order of their source.
    pub list: Arc<[IpAddr]>,
    /// True if the list is complete. If not, a question for the name is still open, and its end
    /// wakes every waiter.
    pub complete: bool,
}

/// Result of a look-up in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheAnswer {
    /// The answer is known.
    Answer(Result<Addresses, NameError>),
    /// A question is already open; the waiter will be told of the answer.
    Waiting,
    /// The caller must ask a question; the waiter will be told of the answer. If another name is
    /// given, the caller must cancel the question for that name, which no waiter is left for, in
    /// exchange.
    Ask(Option<Arc<str>>),
}

impl CacheAnswer {
    /// Returns true if a question is already open, so that more addresses may follow.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Answer(Ok(Addresses { complete: false, .. })))
    }
}

/// Cache of names, for waiters identified by `W`.
///
/// The number of open questions is bounded, and clients share the bound
/// ([`Shares`](crate::shares::Shares)). A client that may ask no more gets an expired answer or
/// [`NameError::Overloaded`]. A question that no waiter is left for continues while there is room,
/// and counts for no client.
#[derive(Debug)]
pub struct NameCache<W> {
    limits: NameLimits,
    entries: HashMap<Arc<str>, Entry<W>>,
    places: Places,
    /// Names whose waiters are to be told of an answer, each with the waiter that was told last.
    untold: VecDeque<(Arc<str>, Option<W>)>,
    /// Number of times that all answers were cleared.
    generation: u64,
}

impl<W: Ord + Copy> NameCache<W> {
    /// Returns an empty cache.
    #[must_use]
    pub fn new(limits: NameLimits) -> Self {
        let (entries, untold) = (HashMap::new(), VecDeque::new());
        Self { limits, entries, places: Places::default(), untold, generation: 0 }
    }

    /// Changes the limits, also for answers that are already stored.
    pub const fn set_limits(&mut self, limits: NameLimits) {
        self.limits = limits;
    }

    /// Looks `name` up for `waiter`. `client` is charged for the question, if its number of
    /// questions is bounded. Unless the answer is complete, the waiter is registered and told
    /// ([`told`](Self::told)) of each further answer, until it has looked up the complete one or
    /// [`leave`](Self::leave)s. Waiters for one name share one question, and get its answer however
    /// short the lifetime is.
    pub fn look_up(
        &mut self,
        name: &str,
        waiter: W,
        client: Option<IpAddr>,
        now: Instant,
    ) -> CacheAnswer {
        count(name.len() + LOOK_UP);
        let (limits, generation) = (self.limits, self.generation);
        let Some(entry) = self.entries.get_mut(name) else {
            return self.ask(name, waiter, client, now);
        };
        let answer = entry.answer_for(&waiter, &limits, generation, now);
        match (answer, entry.asked()) {
            (Some(Ok(list)), Some(_)) if self.places.attend(entry, waiter, client, &limits) => {
                CacheAnswer::Answer(Ok(Addresses { list, complete: false }))
            }
            (Some(answer), _) => {
                self.places.leave(entry, &waiter);
                self.places.touch(entry, &limits);
                CacheAnswer::Answer(answer.map(|list| Addresses { list, complete: true }))
            }
            (None, Some(since)) if self.places.attend(entry, waiter, client, &limits) => {
                if now < since + LOST {
                    return CacheAnswer::Waiting;
                }
                entry.ask_again(now);
                entry.asked_in = generation;
                CacheAnswer::Ask(None)
            }
            (None, Some(_)) => CacheAnswer::Answer(self.last_resort(name, now)),
            (None, None) => self.ask(name, waiter, client, now),
        }
    }

    /// Stores the addresses of one family while the question for the other is still open.
    pub fn answered_in_part(
        &mut self,
        name: &str,
        addresses: Arc<[IpAddr]>,
        ttl: Option<Duration>,
        now: Instant,
    ) {
        let entry = self.entries.get_mut(name).filter(|entry| entry.asked().is_some());
        let Some(entry) = entry else { return };
        entry.kept = Some(Kept::new(Ok(addresses), ttl, now));
        entry.generation = entry.asked_in;
        entry.answers += 1;
        self.untold.push_back((Arc::clone(&entry.name), None));
    }

    /// Stores the answer for `name`, with the lifetime `ttl` if its source gives one. An answer
    /// without an open question is dropped.
    pub fn answered(
        &mut self,
        name: &str,
        answer: LookupResult,
        ttl: Option<Duration>,
        now: Instant,
    ) {
        let entry = self.entries.get_mut(name).filter(|entry| entry.asked().is_some());
        let Some(entry) = entry else { return };
        let same_servers = entry.generation == entry.asked_in;
        let outlasted = match (&answer, &mut entry.kept) {
            (Err(error), Some(kept)) if same_servers => kept.outlasts(error, &self.limits, now),
            _ => false,
        };
        if !outlasted {
            entry.kept = Some(Kept::new(answer, ttl, now));
            entry.generation = entry.asked_in;
        }
        entry.answers += 1;
        if entry.waiters.is_empty() {
            self.places.put(entry, Place::Idle);
        } else {
            self.places.put(entry, |_| Place::Telling);
            self.untold.push_back((Arc::clone(&entry.name), None));
        }
    }

    /// Returns the time at which the waiters for `name` get an expired answer, if one is stored and
    /// the question is still open then; see [`tell_expired`](Self::tell_expired).
    #[must_use]
    pub fn expired_serves_at(&self, name: &str) -> Option<Instant> {
        let entry = self.entries.get(name)?;
        let at = entry.asked()? + self.limits.stale_after;
        let kept = entry.kept(self.generation)?;
        (at < kept.stale_until(&self.limits)).then_some(at)
    }

    /// Schedules the waiters for `name` to be told of an expired answer, if it may be used now.
    pub fn tell_expired(&mut self, name: &str, now: Instant) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.serves(&self.limits, self.generation, now).is_some() {
            entry.answers += 1;
            self.untold.push_back((Arc::clone(&entry.name), None));
        }
    }

    /// Returns the next waiters to tell of an answer, after at most `most` steps. More are left if
    /// [`has_to_tell`](Self::has_to_tell) returns true.
    pub fn told(&mut self, most: usize) -> Vec<W> {
        (0..most).map_while(|_| self.tell_next()).flatten().collect()
    }

    /// Advances to the next waiter that was not told yet. Returns the waiter if there is an answer
    /// that it has not seen, and `None` at the end of the queue.
    fn tell_next(&mut self) -> Option<Option<W>> {
        count(LOOK_UP);
        let (name, last) = self.untold.front_mut()?;
        if let Some(entry) = self.entries.get_mut(name) {
            let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
            if let Some((&waiter, &seen)) = entry.waiters.range((behind, Bound::Unbounded)).next() {
                *last = Some(waiter);
                return Some((seen < entry.answers).then_some(waiter));
            }
            if let Place::Telling = entry.place {
                self.places.put(entry, Place::Idle);
            }
        }
        self.untold.pop_front();
        Some(None)
    }

    /// Returns true if waiters are still to be told of an answer.
    #[must_use]
    pub fn has_to_tell(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Removes `waiter` from the waiters for `name`. Returns true if it was the last one and the
    /// question is still open. The question then continues while there is room, or is
    /// [forgotten](Self::forget) if the caller can cancel it.
    pub fn leave(&mut self, name: &str, waiter: &W) -> bool {
        count(LOOK_UP);
        self.entries.get_mut(name).is_some_and(|entry| self.places.leave(entry, waiter))
    }

    /// Ends the question for `name` without an answer, because the caller has cancelled it.
    pub fn forget(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.kept.is_some() && entry.asked().is_some() {
            self.places.put(entry, Place::Idle);
        } else if entry.asked().is_some() {
            self.places.remove(&entry.place);
            self.entries.remove(name);
        }
    }

    /// Drops every answer, and those of open questions when they arrive, because the servers have
    /// changed. Only a waiter that was told of an answer, or will be when its question ends, still
    /// gets it.
    pub const fn clear(&mut self) {
        self.generation += 1;
    }

    /// Returns the time for which the answer for `name` is used without another question.
    #[must_use]
    pub fn lifetime(&self, name: &str, now: Instant) -> Option<Duration> {
        let kept = self.entries.get(name)?.kept(self.generation)?;
        Some(kept.until(&self.limits).saturating_duration_since(now))
    }

    /// Returns the number of names in the cache, and of open questions.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.entries.len(), self.places.questions())
    }

    /// Returns all waiters, each with the name that it waits for.
    pub fn waiters(&self) -> impl Iterator<Item = (&str, W)> {
        let entries = self.entries.values();
        entries.flat_map(|entry| entry.waiters.keys().map(|&waiter| (&*entry.name, waiter)))
    }

    /// Opens a question if `client` may have one more.
    fn ask(&mut self, name: &str, waiter: W, client: Option<IpAddr>, now: Instant) -> CacheAnswer {
        if !self.places.shares.take(client, self.limits.max_in_flight) {
            return CacheAnswer::Answer(self.last_resort(name, now));
        }
        let displaced = self.displace();
        if !self.entries.contains_key(name) {
            self.make_room(now);
        }
        let entry = self.entries.entry(name.into());
        let entry = entry.or_insert_with_key(|name| Entry::new(Arc::clone(name)));
        entry.asked_in = self.generation;
        entry.waiters.insert(waiter, entry.answers);
        self.places.put(entry, |_| Place::Asked(now, client));
        CacheAnswer::Ask(displaced)
    }

    /// Ends a question without waiters if there is one question too many, and returns its name.
    fn displace(&mut self) -> Option<Arc<str>> {
        if self.places.questions() <= self.limits.max_in_flight {
            return None;
        }
        let (_, name) = self.places.left.first_key_value()?;
        let name = Arc::clone(name);
        self.forget(&name);
        Some(name)
    }

    /// Returns an expired answer, because no question may be asked (RFC 8767).
    fn last_resort(&self, name: &str, now: Instant) -> Result<Addresses, NameError> {
        let kept = self.entries.get(name).and_then(|entry| entry.kept(self.generation));
        match kept.map(|kept| (&kept.answer, kept.last_resort(&self.limits))) {
            Some((Ok(list), until)) if now < until => {
                Ok(Addresses { list: Arc::clone(list), complete: true })
            }
            _ => Err(NameError::Overloaded),
        }
    }

    /// Makes room for another name: drops least recently used names if the cache is full or their
    /// answers have expired. Two are dropped for each new one, so that a cache whose limit was
    /// lowered shrinks.
    fn make_room(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some((_, name)) = self.places.idle.first_key_value() else { return };
            let Some(entry) = self.entries.get(name) else { return };
            let over = entry.is_over(&self.limits, self.generation, now);
            if !over && self.entries.len() < self.limits.names {
                return;
            }
            count(2 * LOOK_UP);
            let name = Arc::clone(name);
            self.places.remove(&entry.place);
            self.entries.remove(&name);
        }
    }

    /// Compares the places of all entries with the bookkeeping; for simulations.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn check(&self) {
        let mut asked: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
        let (mut left, mut idle) = (0, 0);
        for (name, entry) in &self.entries {
            assert_eq!(*name, entry.name, "an entry has the name of its key");
            match entry.place {
                Place::Asked(_, client) => {
                    assert!(
                        !entry.waiters.is_empty(),
                        "a question that holds a place has a waiter: {name}"
                    );
                    *asked.entry(client).or_default() += 1;
                }
                Place::Left(_, number) => {
                    assert!(entry.waiters.is_empty(), "a question in `left` has no waiter: {name}");
                    assert_eq!(self.places.left.get(&number), Some(name));
                    left += 1;
                }
                Place::Telling => {
                    let told = self.untold.iter().any(|(untold, _)| untold == name);
                    assert!(told, "waiters for an answer are in the queue: {name}");
                }
                Place::Idle(number) => {
                    assert!(entry.kept.is_some(), "an entry without a question has an answer");
                    assert_eq!(self.places.idle.get(&number), Some(name));
                    idle += 1;
                }
            }
        }
        assert_eq!((left, idle), (self.places.left.len(), self.places.idle.len()));
        assert_eq!(asked.values().sum::<usize>(), self.places.shares.total());
        for (client, asked) in asked {
            let held = client.map(|client| self.places.shares.held(&client));
            assert!(held.is_none_or(|held| held == asked), "{client:?} holds {held:?} places");
        }
    }
}
