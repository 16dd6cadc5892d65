//! Question for one kind of addresses, put to one server after the other.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::attempt::{Attempt, DnsTransport, Query, TcpFor};
use super::known::NameError;
use super::message::{Kind, Response, Unread, is_bare_format_error, query};
use super::name::Name;
use super::problem::{BAD_VERSION, FORMAT_ERROR, NOT_IMPLEMENTED, Problem, SERVER_FAILURE};
use super::random::Random;
use super::resolution::Resolution;
use super::servers::ServerObservation;

/// Number of datagrams that claim to be from the server but do not match the query, from which on
/// forgery is assumed. The query is repeated over TCP, where an outsider cannot guess what to forge
/// (RFC 5452 §9.3).
const FORGED: usize = 32;
/// Number of queries, each with its own id and port, that a server has to answer in another case
/// before such an answer counts without TCP: a forger would have to guess all of them in a row.
const OTHER_CASE: u8 = 3;

/// Question with its progress.
#[derive(Debug)]
pub(super) struct Question {
    kind: Kind,
    /// Name to query: the name of the look-up, or the target of its CNAME records.
    name: Name,
    /// Number of CNAME records that led to the name.
    links: usize,
    /// Shortest lifetime of these records, in seconds.
    ttl: u32,
    tries: VecDeque<Attempt>,
    state: State,
    /// Number of queries sent.
    sent: usize,
    /// Servers that were queried.
    asked: Vec<SocketAddr>,
    /// Last server that gave no answer, with the reason.
    problem: Option<(SocketAddr, Problem)>,
    /// Observations of servers, until the look-up takes them.
    pub(super) noticed: Vec<(SocketAddr, ServerObservation)>,
}

#[derive(Debug)]
enum State {
    /// The next query is due, but not before this time.
    Next(Option<Instant>),
    Waiting(Waiting),
    Over(QuestionResult),
}

/// Query that was sent.
#[derive(Debug)]
struct Waiting {
    at: Attempt,
    id: u16,
    spelled: Name,
    until: Instant,
    /// Number of messages that did not match the query.
    misses: usize,
}

/// Result of a question. Lifetimes are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QuestionResult {
    Addresses(Vec<IpAddr>, u32),
    NoData(Option<u32>),
    NoSuchName(Option<u32>),
    Unanswered,
}

impl Question {
    pub(super) fn new(kind: Kind, name: Name, tries: &[Attempt]) -> Self {
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

    /// Returns the result, once the question has ended.
    pub(super) const fn outcome(&self) -> Option<&QuestionResult> {
        match &self.state {
            State::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Returns true if a query awaits its answer.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Returns the time of the next transition at the latest; `None` if the question has ended, or
    /// can proceed at once.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Next(at) => *at,
            State::Waiting(waiting) => Some(waiting.until),
            State::Over(_) => None,
        }
    }

    /// Returns the next query if it is due. A query that timed out is abandoned.
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
            self.state = State::Over(QuestionResult::Unanswered);
            return None;
        };
        self.sent += 1;
        if !self.asked.contains(&at.server) {
            self.asked.push(at.server);
        }
        let id = random.id();
        let spelled =
            if at.random_case { self.name.in_any_case(random) } else { self.name.clone() };
        let message = query(id, &spelled, self.kind, at.edns);
        let until = now + timeout;
        self.state = State::Waiting(Waiting { at, id, spelled, until, misses: 0 });
        Some(Query { server: at.server, over: at.over, message })
    }

    /// Handles a message from `source`. Messages that do not match the query are ignored: a forged
    /// one must not keep the real one from being read (RFC 5452 §4.5).
    pub(super) fn received(&mut self, source: SocketAddr, message: &[u8]) {
        let State::Waiting(waiting) = &mut self.state else { return };
        let at = waiting.at;
        if source != at.server {
            return;
        }
        match waiting.read(message, &self.name, self.kind) {
            Heard::Response(response, same_case) => self.answered(&response, same_case, at),
            Heard::BareFormatError => self.again(at.without_edns()),
            Heard::Nothing if waiting.misses >= FORGED && at.over == DnsTransport::Udp => {
                self.again(at.over_tcp(TcpFor::Forged));
            }
            Heard::Nothing if waiting.misses >= FORGED => {
                self.failed("its answers do not match the query".into());
            }
            Heard::Nothing => {}
        }
    }

    /// Handles an answer of the server. A datagram that does not repeat the case of the name may be
    /// forged, so its content does not count; but it is a reason to query over TCP, where the case
    /// is not needed. An answer in another case over TCP proves that the server does not preserve
    /// case. Without TCP, the same answer to several queries proves it.
    fn answered(&mut self, response: &Response, same_case: bool, at: Attempt) {
        if !same_case && at.over == DnsTransport::Udp {
            let at = Attempt { other_case: at.other_case + 1, ..at };
            if at.other_case < OTHER_CASE {
                let next = if at.no_tcp { at } else { at.over_tcp(TcpFor::Case) };
                return self.again(next);
            }
        }
        self.noticed.push((at.server, ServerObservation::Answered));
        if same_case {
            return self.take(response, at);
        }
        self.noticed.push((at.server, ServerObservation::NoCase));
        self.take(response, Attempt { random_case: false, ..at });
    }

    fn take(&mut self, response: &Response, at: Attempt) {
        if response.truncated {
            match at.over {
                DnsTransport::Udp => self.again(at.over_tcp(TcpFor::Cut)),
                DnsTransport::Tcp => {
                    self.give_up_on(at.server, Problem::Cut("truncated again".into()));
                }
            }
            return;
        }
        match response.code {
            FORMAT_ERROR | NOT_IMPLEMENTED | BAD_VERSION if at.edns => {
                self.again(at.without_edns());
            }
            SERVER_FAILURE if at.edns => self.last(at.without_edns(), SERVER_FAILURE),
            _ => self.conclude(response, at),
        }
    }

    /// Handles the failure of the current query: the connection failed, or no socket has that port.
    pub(super) fn failed(&mut self, why: String) {
        let State::Waiting(waiting) = &self.state else { return };
        let at = waiting.at;
        if at.tcp_for == Some(TcpFor::Case) {
            return self.again(at.without_tcp());
        }
        self.noticed.push((at.server, ServerObservation::Silent));
        let cut = at.tcp_for == Some(TcpFor::Cut);
        self.give_up_on(at.server, if cut { Problem::Cut(why) } else { Problem::Unreachable(why) });
    }

    /// Postpones the current query, which could not be sent for lack of descriptors, to the time
    /// `at`.
    pub(super) fn postpone(&mut self, at: Instant) {
        if let State::Waiting(waiting) = &self.state {
            self.sent -= 1;
            self.tries.push_front(waiting.at);
            self.state = State::Next(Some(at));
        }
    }

    /// Ends the question, because its time is over.
    pub(super) fn end(&mut self) {
        if self.outcome().is_none() {
            if self.is_waiting() {
                self.time_out();
            }
            self.state = State::Over(QuestionResult::Unanswered);
        }
    }

    /// Returns the error if no server answered.
    pub(super) fn error(&self) -> NameError {
        match self.problem {
            Some((_, Problem::Silent)) | None => NameError::TimedOut(self.describe()),
            Some(_) => NameError::Unanswered(self.describe()),
        }
    }

    fn describe(&self) -> String {
        let (servers, tries) = (self.asked.len(), self.sent);
        let plural = |n| if n == 1 { "" } else { "s" };
        let count =
            format!("{servers} server{}, {tries} attempt{}", plural(servers), plural(tries));
        match &self.problem {
            Some((server, problem)) => format!("{} ({count})", problem.of(*server)),
            None => format!("no server was queried in time ({count})"),
        }
    }

    fn conclude(&mut self, response: &Response, at: Attempt) {
        let verdict = Resolution::of(response, &self.name, self.kind, self.links);
        match verdict {
            Resolution::Code(_) => {}
            _ if at.edns => self.noticed.push((at.server, ServerObservation::Edns)),
            _ if at.edns_failed => self.noticed.push((at.server, ServerObservation::NoEdns)),
            _ => {}
        }
        self.state = match verdict {
            Resolution::Addresses { addresses, ttl } => {
                State::Over(QuestionResult::Addresses(addresses, ttl.min(self.ttl)))
            }
            Resolution::NoData(ttl) => State::Over(QuestionResult::NoData(self.bounded(ttl))),
            Resolution::NoSuchName(ttl) => {
                State::Over(QuestionResult::NoSuchName(self.bounded(ttl)))
            }
            Resolution::Elsewhere { name, ttl, links } => {
                (self.name, self.links, self.ttl) = (name, links, ttl.min(self.ttl));
                return self.again(at);
            }
            Resolution::Chain => return self.give_up_on(at.server, Problem::Chain),
            Resolution::Lame => return self.give_up_on(at.server, Problem::Lame),
            Resolution::Code(code) => return self.give_up_on(at.server, Problem::Code(code)),
        };
    }

    fn bounded(&self, ttl: Option<u32>) -> Option<u32> {
        ttl.map(|ttl| ttl.min(self.ttl))
    }

    /// Queries the same server again at once, and uses this attempt for its later turns too.
    fn again(&mut self, at: Attempt) {
        self.change(at);
        self.tries.push_front(at);
        self.state = State::Next(None);
    }

    /// Queries the same server again with this attempt, after all others.
    fn last(&mut self, at: Attempt, code: u16) {
        self.give_up_on(at.server, Problem::Code(code));
        self.tries.push_back(at);
    }

    /// Uses this attempt for the later turns of its server.
    fn change(&mut self, at: Attempt) {
        for later in self.tries.iter_mut().filter(|later| later.server == at.server) {
            *later = at;
        }
    }

    /// Records the problem and removes the server's later turns.
    fn give_up_on(&mut self, server: SocketAddr, problem: Problem) {
        self.problem = Some((server, problem));
        self.tries.retain(|later| later.server != server);
        self.state = State::Next(None);
    }

    /// Handles a timeout. The server may drop queries with EDNS, or something on the path may drop
    /// TCP.
    fn time_out(&mut self) {
        let State::Waiting(waiting) = &self.state else { return };
        let at = waiting.at;
        self.problem = Some((at.server, Problem::Silent));
        if at.tcp_for == Some(TcpFor::Case) {
            return self.again(at.without_tcp());
        }
        if at.edns && at.over == DnsTransport::Udp {
            self.change(at.without_edns());
        }
        self.noticed.push((at.server, ServerObservation::Silent));
        self.state = State::Next(None);
    }
}

/// Relation of a message to a query.
enum Heard {
    /// The response; true if it repeats the case of the name.
    Response(Box<Response>, bool),
    BareFormatError,
    Nothing,
}

impl Waiting {
    /// Classifies a message: a response has to repeat the id and the question. Only a response is
    /// parsed in full.
    fn read(&mut self, message: &[u8], name: &Name, kind: Kind) -> Heard {
        match Unread::begin(message) {
            Err(_) if self.at.edns && is_bare_format_error(message, self.id) => {
                return Heard::BareFormatError;
            }
            Ok(unread) if unread.head().id == self.id && unread.head().is_about(name, kind) => {
                if let Ok(response) = unread.finish() {
                    let same_case = response.name.is_spelled_like(&self.spelled);
                    let same_case = same_case || !self.at.random_case;
                    return Heard::Response(Box::new(response), same_case);
                }
            }
            _ => {}
        }
        self.misses += 1;
        Heard::Nothing
    }
}
