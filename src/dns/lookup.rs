//! Look-up of one name: queries both kinds of addresses at once, for one search domain after the
//! other.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::attempt::{Attempt, DnsTransport, Query};
use super::known::{LookupResult, NameError};
use super::message::Kind;
use super::name::Name;
use super::question::{Question, QuestionResult};
use super::random::Random;
use super::resolv_conf::ResolvConf;
use super::servers::{Server, ServerObservation};

/// Time for which IPv4 addresses wait for the IPv6 answer; IPv6 addresses do not wait (RFC 8305
/// §3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// Time after which a query that found no free descriptor is tried again.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);
/// Longest lifetime, in seconds, of addresses of one kind if the question for the other kind was
/// not answered: the missing addresses may be the ones that can be reached.
const HALF_TTL: u32 = 30;
/// Bounds on the number of rounds over all servers, unless `resolv.conf` sets it.
const LEAST_ROUNDS: usize = 2;
const MOST_ROUNDS: usize = 5;
/// Kinds of addresses, IPv6 first: its query is sent first, and its addresses come first.
const KINDS: [Kind; QUESTIONS] = [Kind::Aaaa, Kind::A];

/// Number of questions that a look-up asks at a time: one for each kind of addresses. `place` in
/// its methods is the index of a question.
pub const QUESTIONS: usize = 2;

/// Timeouts of a look-up.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Time for the answer of one server, unless `resolv.conf` sets it.
    pub attempt: Duration,
    /// Time for the whole look-up.
    pub total: Duration,
}

/// Result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Addresses, those of IPv6 first; or the reason why there are none.
    pub answer: LookupResult,
    /// Lifetime of the answer, if the servers give one.
    pub ttl: Option<Duration>,
    /// True if this is the whole answer. If not, the question for one kind of addresses is still
    /// open.
    pub complete: bool,
}

/// Action that a look-up requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupAction {
    /// Send a query for the question at this place, on its own socket, which replaces the place's
    /// previous one.
    Ask(usize, Query),
    /// Take the result: first perhaps the addresses of one kind, at last all.
    Found(Found),
}

/// Look-up of one name. The driver performs the actions that [`step`](Self::step) returns, reports
/// their results, and calls `step` again at [`next_deadline`](Self::next_deadline) at the latest.
///
/// Quirks of servers are tolerated. A server that answers a query with EDNS by an error, or not at
/// all, is queried again without EDNS. A server that does not repeat the case of the name is
/// queried over TCP, where no answer can be forged without seeing the query. If TCP works, or if
/// there is no TCP and three queries in a row are answered that way, the server is
/// [noticed](Self::noticed) as one that does not preserve case. A name counts as nonexistent if the
/// answer for IPv4 addresses says so: some servers say it of every name without an IPv6 address.
#[derive(Debug)]
pub struct Lookup {
    questions: [Question; QUESTIONS],
    /// Names to try next if the current one has no address.
    candidates: VecDeque<Name>,
    tries: Vec<Attempt>,
    attempt: Duration,
    total: Duration,
    /// Deadline of the look-up, set by its first step.
    deadline: Option<Instant>,
    /// Time at which IPv4 addresses stop waiting for the IPv6 answer.
    early: Option<Instant>,
    /// True once the addresses of one kind were returned.
    told: bool,
    over: bool,
    /// True if a previous candidate existed but had no address.
    existed: bool,
    /// Shortest time in seconds for which the previous candidates' lack of addresses holds; `None`
    /// if a server gave none.
    negative_ttl: Option<u32>,
}

impl Lookup {
    /// Returns a look-up of `name` by the rules of `conf`, at `servers` in their order. Its time
    /// begins with its first step.
    ///
    /// # Errors
    /// [`NameError::NotAName`] if `name` is not a host name.
    pub fn new(
        name: &str,
        conf: &ResolvConf,
        servers: &[Server],
        times: Timeouts,
    ) -> Result<Self, NameError> {
        let parsed = Name::parse(name).map_err(|_| NameError::NotAName)?;
        let mut candidates = VecDeque::from(conf.candidates(name, &parsed));
        let first = candidates.pop_front().unwrap_or(parsed);
        let over = if conf.use_tcp { DnsTransport::Tcp } else { DnsTransport::Udp };
        let round = servers.iter().map(|server| Attempt::new(server, over, conf.random_case));
        let share = share(times.total, servers.len());
        let attempt = conf.timeout.unwrap_or(times.attempt).min(share);
        let rounds = conf.attempts.unwrap_or_else(|| rounds(share, attempt));
        let tries: Vec<Attempt> = std::iter::repeat_n(round, rounds).flatten().collect();
        Ok(Self {
            questions: KINDS.map(|kind| Question::new(kind, first.clone(), &tries)),
            candidates,
            tries,
            attempt,
            total: times.total,
            deadline: None,
            early: None,
            told: false,
            over: false,
            existed: false,
            negative_ttl: Some(u32::MAX),
        })
    }

    /// Returns the next action, or `None` if there is nothing to do now. The driver repeats the
    /// call until then.
    pub fn step(&mut self, now: Instant, random: &mut Random) -> Option<LookupAction> {
        let deadline = *self.deadline.get_or_insert(now + self.total);
        while !self.over {
            if let Some((place, query)) = self.next(now, deadline, random) {
                return Some(LookupAction::Ask(place, query));
            }
            match self.judge(now) {
                Judged::Nothing => return None,
                Judged::Another => {}
                Judged::Found(found) => {
                    self.over = found.complete;
                    return Some(LookupAction::Found(found));
                }
            }
        }
        None
    }

    fn next(
        &mut self,
        now: Instant,
        deadline: Instant,
        random: &mut Random,
    ) -> Option<(usize, Query)> {
        if now >= deadline {
            self.questions.iter_mut().for_each(Question::end);
            return None;
        }
        self.questions
            .iter_mut()
            .enumerate()
            .find_map(|(place, question)| Some((place, question.next(now, self.attempt, random)?)))
    }

    /// Returns true if the query at this place still awaits an answer. If not, its socket can be
    /// closed.
    #[must_use]
    pub const fn is_waiting(&self, place: usize) -> bool {
        !self.over && self.questions[place].is_waiting()
    }

    /// Handles a message from `source`, received on the socket of this place.
    pub fn received(&mut self, place: usize, source: SocketAddr, message: &[u8]) {
        self.questions[place].received(source, message);
    }

    /// Handles a failure of the query at this place.
    pub fn failed(&mut self, place: usize, why: &io::Error) {
        self.questions[place].failed(why.kind().to_string());
    }

    /// Delays the query at this place, which could not be sent for lack of descriptors.
    pub fn postpone(&mut self, place: usize, now: Instant) {
        self.questions[place].postpone(now + NO_DESCRIPTOR);
    }

    /// Returns the observations of servers since the last call.
    pub fn noticed(&mut self) -> impl Iterator<Item = (SocketAddr, ServerObservation)> {
        self.questions.iter_mut().flat_map(|question| question.noticed.drain(..))
    }

    /// Decides the next transition from the state of the questions.
    fn judge(&mut self, now: Instant) -> Judged {
        let outcomes = self.questions.each_ref().map(Question::outcome);
        let (addresses, ttl) = addresses_of(&outcomes);
        let both = |one: &Option<u32>, other: &Option<u32>| {
            one.zip(*other).map(|(one, other)| one.min(other))
        };
        match outcomes {
            [Some(_), Some(_)] if !addresses.is_empty() => all(Ok(addresses.into()), Some(ttl)),
            _ if !addresses.is_empty() => self.judge_part(addresses, ttl, now),
            [_, Some(QuestionResult::NoSuchName(ttl))] => {
                let ttl = *ttl;
                self.next_candidate(ttl, false)
            }
            [
                Some(QuestionResult::NoData(six) | QuestionResult::NoSuchName(six)),
                Some(QuestionResult::NoData(four)),
            ] => {
                let ttl = both(six, four);
                self.next_candidate(ttl, true)
            }
            [Some(_), Some(_)] => {
                let unanswered = |q: &&Question| q.outcome() == Some(&QuestionResult::Unanswered);
                let question = self.questions.iter().rfind(unanswered);
                all(Err(question.map_or(NameError::NoAddress, Question::error)), None)
            }
            _ => Judged::Nothing,
        }
    }

    /// Decides on addresses of one kind while the question for the other is open: those of IPv6 are
    /// returned at once, those of IPv4 after a delay (RFC 8305 §3).
    fn judge_part(&mut self, addresses: Vec<IpAddr>, ttl: u32, now: Instant) -> Judged {
        let waits =
            !addresses[0].is_ipv6() && now < *self.early.get_or_insert(now + RESOLUTION_DELAY);
        if self.told || waits {
            return Judged::Nothing;
        }
        self.told = true;
        let answer = Ok(addresses.into());
        Judged::Found(Found { answer, ttl: Some(seconds(ttl)), complete: false })
    }

    /// Returns the time of the next step at the latest, once the first step was taken.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let early = self.early.filter(|_| !self.told);
        let questions = self.questions.iter().filter_map(Question::next_deadline);
        questions.chain(early).chain(self.deadline).min()
    }

    /// Continues with the next candidate, as the current name has no address. Without one, ends the
    /// look-up.
    fn next_candidate(&mut self, ttl: Option<u32>, existed: bool) -> Judged {
        self.existed |= existed;
        self.negative_ttl = self.negative_ttl.zip(ttl).map(|(one, other)| one.min(other));
        let Some(name) = self.candidates.pop_front() else {
            let error = if self.existed { NameError::NoAddress } else { NameError::NoSuchName };
            return all(Err(error), self.negative_ttl);
        };
        self.questions = KINDS.map(|kind| Question::new(kind, name.clone(), &self.tries));
        self.early = None;
        Judged::Another
    }
}

/// Transition of a look-up.
enum Judged {
    Nothing,
    /// The next candidate is queried.
    Another,
    Found(Found),
}

/// Returns the final result.
fn all(answer: LookupResult, ttl: Option<u32>) -> Judged {
    Judged::Found(Found { answer, ttl: ttl.map(seconds), complete: true })
}

/// Returns all known addresses, with their shortest lifetime in seconds.
fn addresses_of(outcomes: &[Option<&QuestionResult>]) -> (Vec<IpAddr>, u32) {
    let (mut all, mut least) = (Vec::new(), u32::MAX);
    for outcome in outcomes.iter().flatten() {
        match outcome {
            QuestionResult::Addresses(addresses, ttl) => {
                all.extend(addresses);
                least = least.min(*ttl);
            }
            QuestionResult::Unanswered => least = least.min(HALF_TTL),
            QuestionResult::NoData(_) | QuestionResult::NoSuchName(_) => {}
        }
    }
    (all, least)
}

/// Returns the time for one server, such that every server is queried once however slow the others
/// are.
fn share(total: Duration, servers: usize) -> Duration {
    total / u32::try_from(servers.max(1)).unwrap_or(u32::MAX)
}

/// Returns the number of times that each server can be queried in its share of the time. With few
/// servers, each is queried more often, as datagrams may be lost.
fn rounds(share: Duration, attempt: Duration) -> usize {
    let rounds = share.as_millis() / attempt.as_millis().max(1);
    usize::try_from(rounds).map_or(MOST_ROUNDS, |rounds| rounds.clamp(LEAST_ROUNDS, MOST_ROUNDS))
}

const fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(ttl as u64)
}
