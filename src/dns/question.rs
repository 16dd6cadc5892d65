//! One question, for one kind of addresses, on its way from server to server.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::message::{FORMAT_ERROR, Kind, Response, is_bare_format_error, query};
use super::name::Name;
use super::random::Random;
use super::verdict::Verdict;

/// So many datagrams that claim to be from the server and are not the answer are no accident: the
/// query goes on over TCP, where nobody can guess what to forge (RFC 5452 §9.3).
const FORGED: usize = 32;
/// The server knows of no such version of EDNS (RFC 6891 §6.1.3).
const BAD_VERSION: u16 = 16;

/// Over what a query goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A datagram from a socket that was never used before.
    Udp,
    /// A connection, each message behind its length in two octets (RFC 7766 §8).
    Tcp,
}

/// A query to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// To whom.
    pub server: SocketAddr,
    /// Over what.
    pub over: Over,
    /// The message, without its length.
    pub message: Vec<u8>,
}

/// One query that may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) server: SocketAddr,
    pub(super) over: Over,
    pub(super) edns: bool,
    /// Whether it is over TCP because an answer was cut short.
    pub(super) cut: bool,
}

/// Where a question has got to.
#[derive(Debug)]
pub(super) struct Question {
    kind: Kind,
    /// What is asked for: the name, or the one that it stands for.
    name: Name,
    /// CNAME records that led there, and how long they hold.
    links: usize,
    ttl: u32,
    tries: VecDeque<Try>,
    state: State,
    /// How many queries were sent, and to whom.
    sent: usize,
    asked: Vec<SocketAddr>,
    /// What came of the last server that gave no answer.
    problem: Option<(SocketAddr, Problem)>,
    /// Servers that have answered, or have not.
    pub(super) noticed: Vec<(SocketAddr, bool)>,
}

#[derive(Debug)]
enum State {
    /// The next query is to be sent, not before the time given.
    Next(Option<Instant>),
    Waiting(Waiting),
    Over(Outcome),
}

/// A query that was sent.
#[derive(Debug)]
struct Waiting {
    at: Try,
    id: u16,
    spelled: Name,
    until: Instant,
    /// Whether something has come that is an answer but for the case of the name.
    misspelled: bool,
    /// How much has come that was not the answer.
    misses: usize,
}

/// What came of a question. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Addresses(Vec<IpAddr>, u32),
    NoData(Option<u32>),
    NoSuchName(Option<u32>),
    Unanswered,
}

/// Why a server has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Silent,
    Unreachable(String),
    Cut(String),
    Code(u16),
    Lame,
    Chain,
}

impl Question {
    pub(super) fn new(kind: Kind, name: Name, tries: &[Try]) -> Self {
        Self {
            kind,
            name,
            links: 0,
            ttl: u32::MAX,
            tries: tries.iter().copied().collect(),
            state: State::Next(None),
            sent: 0,
            asked: Vec::new(),
            problem: None,
            noticed: Vec::new(),
        }
    }

    /// What came of it, once it is over.
    pub(super) const fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether a query is under way.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// When to go on at the latest; never by itself if it is over.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Next(at) => *at,
            State::Waiting(waiting) => Some(waiting.until),
            State::Over(_) => None,
        }
    }

    /// The next query, if it is time for one. What was waited for is over then.
    pub(super) fn next(
        &mut self,
        now: Instant,
        timeout: Duration,
        random: &mut Random,
    ) -> Option<Query> {
        match &self.state {
            State::Over(_) => return None,
            State::Next(Some(at)) if now < *at => return None,
            State::Waiting(waiting) if now < waiting.until => return None,
            State::Waiting(_) => self.time_out(),
            State::Next(_) => {}
        }
        let Some(at) = self.tries.pop_front() else {
            self.state = State::Over(Outcome::Unanswered);
            return None;
        };
        self.sent += 1;
        if !self.asked.contains(&at.server) {
            self.asked.push(at.server);
        }
        let (id, spelled) = (random.id(), self.name.in_any_case(random));
        let message = query(id, &spelled, self.kind, at.edns);
        let until = now + timeout;
        self.state =
            State::Waiting(Waiting { at, id, spelled, until, misspelled: false, misses: 0 });
        Some(Query { server: at.server, over: at.over, message })
    }

    /// Something has come from `source`. What is not the answer is passed over, as a forged one must
    /// not keep the real one from being heard (RFC 5452 §4.5).
    pub(super) fn received(&mut self, source: SocketAddr, message: &[u8]) {
        let State::Waiting(waiting) = &mut self.state else { return };
        let at = waiting.at;
        if source != at.server {
            return;
        }
        match waiting.read(message, &self.name, self.kind) {
            Heard::Response(response) => {
                self.noticed.push((at.server, true));
                self.take(&response, at);
            }
            Heard::BareFormatError => self.again(Try { edns: false, ..at }),
            Heard::Nothing if waiting.misses >= FORGED && at.over == Over::Udp => {
                self.again(Try { over: Over::Tcp, ..at });
            }
            Heard::Nothing => {}
        }
    }

    fn take(&mut self, response: &Response, at: Try) {
        if response.truncated {
            match at.over {
                Over::Udp => self.again(Try { over: Over::Tcp, cut: true, ..at }),
                Over::Tcp => self.give_up_on(at.server, Problem::Cut("the same".into())),
            }
        } else if matches!(response.code, FORMAT_ERROR | BAD_VERSION) && at.edns {
            self.again(Try { edns: false, ..at });
        } else {
            self.conclude(response, at);
        }
    }

    /// The query under way has failed: there is no connection, or nobody at that port.
    pub(super) fn failed(&mut self, why: String) {
        let State::Waiting(waiting) = &self.state else { return };
        let at = waiting.at;
        self.noticed.push((at.server, false));
        let problem = if at.cut { Problem::Cut(why) } else { Problem::Unreachable(why) };
        self.give_up_on(at.server, problem);
    }

    /// The query under way could not be sent for want of descriptors: to be sent at `at`.
    pub(super) fn postpone(&mut self, at: Instant) {
        if let State::Waiting(waiting) = &self.state {
            self.sent -= 1;
            self.tries.push_front(waiting.at);
            self.state = State::Next(Some(at));
        }
    }

    /// There is no more time for it.
    pub(super) fn end(&mut self) {
        if self.outcome().is_none() {
            if self.is_waiting() {
                self.time_out();
            }
            self.state = State::Over(Outcome::Unanswered);
        }
    }

    /// Why there was no answer.
    pub(super) fn describe(&self) -> String {
        let (servers, tries) = (self.asked.len(), self.sent);
        let plural = |n| if n == 1 { "" } else { "s" };
        let count =
            format!("{servers} server{}, {tries} attempt{}", plural(servers), plural(tries));
        match &self.problem {
            Some((server, problem)) => format!("{} ({count})", problem.of(*server)),
            None => format!("no server was asked in time ({count})"),
        }
    }

    fn conclude(&mut self, response: &Response, at: Try) {
        self.state = match Verdict::of(response, &self.name, self.kind, self.links) {
            Verdict::Addresses { addresses, ttl } => {
                State::Over(Outcome::Addresses(addresses, ttl.min(self.ttl)))
            }
            Verdict::NoData(ttl) => State::Over(Outcome::NoData(self.bounded(ttl))),
            Verdict::NoSuchName(ttl) => State::Over(Outcome::NoSuchName(self.bounded(ttl))),
            Verdict::Elsewhere { name, ttl, links } => {
                (self.name, self.links, self.ttl) = (name, links, ttl.min(self.ttl));
                return self.again(at);
            }
            Verdict::Chain => return self.give_up_on(at.server, Problem::Chain),
            Verdict::Lame => return self.give_up_on(at.server, Problem::Lame),
            Verdict::Code(code) => return self.give_up_on(at.server, Problem::Code(code)),
        };
    }

    fn bounded(&self, ttl: Option<u32>) -> Option<u32> {
        ttl.map(|ttl| ttl.min(self.ttl))
    }

    /// Asks the same server once more, in another way, now and later.
    fn again(&mut self, at: Try) {
        for later in self.tries.iter_mut().filter(|later| later.server == at.server) {
            *later = at;
        }
        self.tries.push_front(at);
        self.state = State::Next(None);
    }

    /// Does not ask this server again.
    fn give_up_on(&mut self, server: SocketAddr, problem: Problem) {
        self.problem = Some((server, problem));
        self.tries.retain(|later| later.server != server);
        self.state = State::Next(None);
    }

    /// The server was silent. One that seems to fold the case of names is asked over TCP from now
    /// on, where the case is not needed.
    fn time_out(&mut self) {
        let State::Waiting(waiting) = &self.state else { return };
        let (at, misspelled) = (waiting.at, waiting.misspelled);
        if misspelled {
            for later in self.tries.iter_mut().filter(|later| later.server == at.server) {
                later.over = Over::Tcp;
            }
        }
        self.noticed.push((at.server, misspelled));
        self.problem = Some((at.server, Problem::Silent));
        self.state = State::Next(None);
    }
}

/// What a message is to a query.
enum Heard {
    Response(Box<Response>),
    BareFormatError,
    Nothing,
}

impl Waiting {
    /// The response to this query, if `message` is that: its id, its question, and in a datagram its
    /// spelling.
    fn read(&mut self, message: &[u8], name: &Name, kind: Kind) -> Heard {
        match Response::read(message) {
            Err(_) if self.at.edns && is_bare_format_error(message, self.id) => {
                return Heard::BareFormatError;
            }
            Ok(response) if response.id == self.id && response.is_about(name, kind) => {
                let spelled = response.name.is_spelled_like(&self.spelled);
                if spelled || self.at.over == Over::Tcp {
                    return Heard::Response(Box::new(response));
                }
                self.misspelled = true;
            }
            _ => {}
        }
        self.misses += 1;
        Heard::Nothing
    }
}

impl Problem {
    fn of(&self, server: SocketAddr) -> String {
        match self {
            Self::Silent => format!("no answer from {server}"),
            Self::Unreachable(why) => format!("{server} cannot be asked: {why}"),
            Self::Cut(why) => format!("{server} cuts its answer short, and over TCP: {why}"),
            Self::Code(code) => format!("{server} says {}", Code(*code)),
            Self::Lame => format!("{server} knows nothing of the name and asks nobody"),
            Self::Chain => format!("{server} has CNAME records in a loop, or too many"),
        }
    }
}

/// A response code, as people know it.
struct Code(u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("FORMERR"),
            2 => f.write_str("SERVFAIL"),
            4 => f.write_str("NOTIMP"),
            5 => f.write_str("REFUSED"),
            other => write!(f, "RCODE {other}"),
        }
    }
}
