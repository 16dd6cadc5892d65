//! One question, for one kind of addresses, on its way from server to server.

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

/// So many datagrams that claim to be from the server and are not the answer are no accident: the
/// query goes on over TCP, where nobody can guess what to forge (RFC 5452 §9.3).
const FORGED: usize = 32;
/// Number of queries that a server answers in another case, each of its own id and port, before such
/// an answer counts without TCP: a forger would have to guess all of them in a row.
const OTHER_CASE: u8 = 3;

/// Where a question has got to.
#[derive(Debug)]
pub(super) struct Question {
    kind: Kind,
    /// What is asked for: the name, or the one that it stands for.
    name: Name,
    /// CNAME records that led there, and how long they hold.
    links: usize,
    ttl: u32,
    tries: VecDeque<Attempt>,
    state: State,
    /// How many queries were sent, and to whom.
    sent: usize,
    asked: Vec<SocketAddr>,
    /// What came of the last server that gave no answer.
    problem: Option<(SocketAddr, Problem)>,
    /// Observations of servers, until they are taken.
    pub(super) noticed: Vec<(SocketAddr, ServerObservation)>,
}

#[derive(Debug)]
enum State {
    /// The next query is to be sent, not before the time given.
    Next(Option<Instant>),
    Waiting(Waiting),
    Over(QuestionResult),
}

/// A query that was sent.
#[derive(Debug)]
struct Waiting {
    at: Attempt,
    id: u16,
    spelled: Name,
    until: Instant,
    /// How much has come that was not the answer.
    misses: usize,
}

/// What came of a question. Times are in seconds.
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

    /// What came of it, once it is over.
    pub(super) const fn outcome(&self) -> Option<&QuestionResult> {
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

    /// Something has come from `source`. What is not the answer is passed over, as a forged one must
    /// not keep the real one from being heard (RFC 5452 §4.5).
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
                self.failed("it answers something else".into());
            }
            Heard::Nothing => {}
        }
    }

    /// The server has answered. A datagram that does not repeat the case of the name may be forged, so
    /// it says nothing; but it is a reason to ask over TCP, where the case is not needed. What is
    /// answered there in another case proves that the server does not keep it. Where there is no TCP,
    /// the same answer to several queries does.
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
                DnsTransport::Tcp => self.give_up_on(at.server, Problem::Cut("the same".into())),
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

    /// The query under way has failed: there is no connection, or nobody at that port.
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
            self.state = State::Over(QuestionResult::Unanswered);
        }
    }

    /// Why there was no answer.
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
            None => format!("no server was asked in time ({count})"),
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

    /// Asks the same server once more, in another way, now and later.
    fn again(&mut self, at: Attempt) {
        self.change(at);
        self.tries.push_front(at);
        self.state = State::Next(None);
    }

    /// Asks the same server once more, in another way, when the others had their turns.
    fn last(&mut self, at: Attempt, code: u16) {
        self.give_up_on(at.server, Problem::Code(code));
        self.tries.push_back(at);
    }

    /// Has the server asked in this way when its next turn comes.
    fn change(&mut self, at: Attempt) {
        for later in self.tries.iter_mut().filter(|later| later.server == at.server) {
            *later = at;
        }
    }

    /// Does not ask this server again.
    fn give_up_on(&mut self, server: SocketAddr, problem: Problem) {
        self.problem = Some((server, problem));
        self.tries.retain(|later| later.server != server);
        self.state = State::Next(None);
    }

    /// The server was silent. Perhaps it drops queries with EDNS; or what comes between drops TCP.
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

/// Meaning of a message to a query.
enum Heard {
    /// The response, and whether it repeats the case of the name.
    Response(Box<Response>, bool),
    BareFormatError,
    Nothing,
}

impl Waiting {
    /// Reads what `message` is to this query: its response if it repeats the id and the question. Only
    /// that is worth to be read whole.
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
