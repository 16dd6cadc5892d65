//! The look-up of one name: both kinds of addresses at once, in one domain after the other.

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

/// Time for which IPv4 addresses wait for those of IPv6, which do not wait (RFC 8305 §3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long a query that found no descriptor waits for one.
const NO_DESCRIPTOR: Duration = Duration::from_millis(50);
/// For how many seconds addresses of one kind are kept at most if the other was not answered: it may
/// be the one that leads there.
const HALF_TTL: u32 = 30;
/// How often all servers are asked, unless `resolv.conf` says so.
const LEAST_ROUNDS: usize = 2;
const MOST_ROUNDS: usize = 5;
/// IPv6 stands first, and is asked for first.
const KINDS: [Kind; QUESTIONS] = [Kind::Aaaa, Kind::A];

/// How many questions a look-up asks at a time: one for each kind of addresses. Their places are
/// what its methods call `place`.
pub const QUESTIONS: usize = 2;

/// How long a look-up may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For one server's answer, unless `resolv.conf` says otherwise.
    pub attempt: Duration,
    /// For the whole.
    pub total: Duration,
}

/// What a look-up has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The addresses, those of IPv6 first; or why there are none.
    pub answer: LookupResult,
    /// How long that holds, if the servers say so.
    pub ttl: Option<Duration>,
    /// Whether that is all. If not, one kind of addresses is still being asked for.
    pub complete: bool,
}

/// What a look-up wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupAction {
    /// To send a query for the question of this place, on a socket of its own that takes the place
    /// of the one before.
    Ask(usize, Query),
    /// To take what was found: first perhaps the addresses of one kind, then all.
    Found(Found),
}

/// A name being looked up. Whoever drives it does what [`step`](Self::step) says, tells it what has
/// come of that, and drives it again at [`next_deadline`](Self::next_deadline) at the latest.
///
/// Servers are taken as they are. A server that answers a query with EDNS by an error, or not at all,
/// is asked once more without. One that does not repeat the case of the name is asked over TCP, where
/// no answer can be forged without seeing the query; if that works, or if there is no TCP and three
/// queries in a row come back so, the server is [noticed](Self::noticed) as one that loses the case.
/// That a name does not exist counts if the question for IPv4 addresses is answered so: some servers
/// say it of every name that has no address of IPv6.
#[derive(Debug)]
pub struct Lookup {
    questions: [Question; QUESTIONS],
    /// What is asked for if the name of the questions has no address.
    candidates: VecDeque<Name>,
    tries: Vec<Attempt>,
    attempt: Duration,
    total: Duration,
    /// End of its time, which begins with the first step.
    deadline: Option<Instant>,
    /// Time from which on IPv4 addresses do not wait for those of IPv6.
    early: Option<Instant>,
    /// True once addresses of one kind were told.
    told: bool,
    over: bool,
    /// What the candidates before had instead of addresses: whether one existed, and how long that
    /// holds.
    existed: bool,
    negative_ttl: Option<u32>,
}

impl Lookup {
    /// A look-up of `name` as `conf` says, at `servers` in their order. It has time from its first
    /// step on.
    ///
    /// # Errors
    /// If it is no name.
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

    /// What is to be done now; to be called until there is nothing.
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

    /// Whether an answer to the query of this place is still awaited; its socket can go if not.
    #[must_use]
    pub const fn is_waiting(&self, place: usize) -> bool {
        !self.over && self.questions[place].is_waiting()
    }

    /// A message has come to the socket of this place, from `source`.
    pub fn received(&mut self, place: usize, source: SocketAddr, message: &[u8]) {
        self.questions[place].received(source, message);
    }

    /// The query of this place has failed.
    pub fn failed(&mut self, place: usize, why: &io::Error) {
        self.questions[place].failed(why.kind().to_string());
    }

    /// The query of this place could not be sent for want of descriptors.
    pub fn postpone(&mut self, place: usize, now: Instant) {
        self.questions[place].postpone(now + NO_DESCRIPTOR);
    }

    /// Returns what was observed of servers since the last call.
    pub fn noticed(&mut self) -> impl Iterator<Item = (SocketAddr, ServerObservation)> {
        self.questions.iter_mut().flat_map(|question| question.noticed.drain(..))
    }

    /// What follows from how the questions stand.
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

    /// Judges addresses of one kind, while the other is being asked for: those of IPv6 are told at once, those of IPv4 after a moment (RFC 8305 §3).
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

    /// Returns the time at which to drive it again at the latest, once its first step was taken.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let early = self.early.filter(|_| !self.told);
        let questions = self.questions.iter().filter_map(Question::next_deadline);
        questions.chain(early).chain(self.deadline).min()
    }

    /// The name asked for has no address: what could be meant next?
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

/// What follows from how the questions stand.
enum Judged {
    Nothing,
    /// Another name is asked for.
    Another,
    Found(Found),
}

/// There is nothing else to be found.
fn all(answer: LookupResult, ttl: Option<u32>) -> Judged {
    Judged::Found(Found { answer, ttl: ttl.map(seconds), complete: true })
}

/// All addresses that are known, and how long they hold.
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

/// However long one may take, every server is asked once.
fn share(total: Duration, servers: usize) -> Duration {
    total / u32::try_from(servers.max(1)).unwrap_or(u32::MAX)
}

/// How often a server can be asked in its share of the time: with few servers, each is asked more
/// often, as datagrams may be lost.
fn rounds(share: Duration, attempt: Duration) -> usize {
    let rounds = share.as_millis() / attempt.as_millis().max(1);
    usize::try_from(rounds).map_or(MOST_ROUNDS, |rounds| rounds.clamp(LEAST_ROUNDS, MOST_ROUNDS))
}

const fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(ttl as u64)
}
