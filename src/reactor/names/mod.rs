//! Names resolved on the loop: the sockets and files of the stub resolver in [`dns`](crate::dns).

mod files;
mod servers;
mod wire;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::dns::{
    Answer, Found, Known, Lookup, NameError, NameLimits, Names, QUESTIONS, Random, Step, Times,
    is_nowhere,
};

use super::arena::Token;
use super::listener::is_exhaustion;
use super::{Reactor, Wake};

use files::Files;
pub use files::{NameSources, Source};
use servers::Servers;
use wire::Wire;

/// Datagrams read of one socket in one drive: who forges many does not keep the loop from others.
const DATAGRAMS: usize = 16;

/// How long look-ups and their answers live.
#[derive(Clone, Copy, Debug)]
pub struct ResolverLimits {
    /// How long answers are kept, and how many.
    pub names: NameLimits,
    /// How long servers may take.
    pub times: Times,
}

impl Default for ResolverLimits {
    /// What suits most programs: TTLs between 1 s and 1 h, 10,000 names, 256 look-ups at a time of
    /// 8 s at most, answers served for an hour more while the servers are down.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            names: NameLimits {
                answer: seconds(30),
                ttl: (seconds(1), seconds(60 * 60)),
                negative: seconds(5 * 60),
                failure: seconds(5),
                stale: seconds(60 * 60),
                patience: Duration::from_millis(1800),
                recheck: seconds(30),
                names: 10_000,
                asked: 256,
            },
            times: Times { attempt: seconds(2), total: seconds(8) },
        }
    }
}

/// A stub resolver on the loop: it asks servers over UDP and TCP, without threads.
///
/// It is an active object like any other: its owner makes a token for it, drives it for that token,
/// and keeps it. Who wants to know addresses calls [`look_up`](Self::look_up) with a token of its own;
/// if that is `Pending`, it is woken when there is an answer, and calls again. One name is asked for
/// once, however many wait; whoever waits no more says so with [`leave`](Self::leave).
///
/// ```
/// use std::task::Poll;
/// use tidegate::reactor::{
///     Active, App, Arena, Event, NameSources, Reactor, Resolver, ResolverLimits, Source, Token,
/// };
///
/// struct Names;
/// impl Active for Names {
///     const KIND: u8 = 0;
/// }
/// struct Visit;
/// impl Active for Visit {
///     const KIND: u8 = 1;
/// }
///
/// struct Program {
///     resolver: Resolver,
///     found: Option<String>,
/// }
///
/// impl Program {
///     fn visit(&mut self, reactor: &mut Reactor<()>, visit: Token) {
///         match self.resolver.look_up(reactor, "printer.test", visit) {
///             Poll::Pending => {} // driven again when there is an answer
///             Poll::Ready(Ok(addresses)) => self.found = Some(format!("{addresses:?}")),
///             Poll::Ready(Err(error)) => self.found = Some(error.to_string()),
///         }
///     }
/// }
///
/// impl App for Program {
///     type Mail = ();
///
///     fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
///         let Event::Drive(token, _) = event else { return };
///         if token.id::<Names>().is_some() {
///             self.resolver.drive(reactor);
///         } else {
///             self.visit(reactor, token);
///         }
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let (mut names, mut visits) = (Arena::new(), Arena::new());
/// let (names, visit) = (names.insert(Names).token(), visits.insert(Visit).token());
/// let hosts = Source::Text("192.0.2.7 printer.test".into());
/// let sources = NameSources { hosts, ..NameSources::default() }; // else /etc/hosts
/// let secret = [7; 32]; // of /dev/urandom, in a program
/// let resolver = Resolver::new(names, sources, ResolverLimits::default(), secret);
/// let mut program = Program { resolver, found: None };
/// let mut reactor = Reactor::new()?;
/// program.visit(&mut reactor, visit);
/// while program.found.is_none() {
///     reactor.turn(&mut program, None)?;
/// }
/// assert_eq!(program.found.as_deref(), Some("[192.0.2.7]"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Resolver {
    owner: Token,
    names: Names<Token>,
    times: Times,
    files: Files,
    servers: Servers,
    open: Vec<Open>,
    random: Random,
    datagram: Vec<u8>,
}

/// A look-up under way, with the sockets of its questions.
#[derive(Debug)]
struct Open {
    name: String,
    lookup: Lookup,
    wires: [Option<Wire>; QUESTIONS],
    /// When those who wait are given what has expired, if there is such an answer.
    stale_at: Option<Instant>,
}

impl Resolver {
    /// A resolver that is driven for `owner`. Nothing is read or asked yet. `secret` is what ids of
    /// queries and the spelling of names follow from: nobody outside may know it.
    #[must_use]
    pub fn new(
        owner: Token,
        sources: NameSources,
        limits: ResolverLimits,
        secret: [u8; 32],
    ) -> Self {
        Self {
            owner,
            names: Names::new(limits.names),
            times: limits.times,
            files: Files::new(sources),
            servers: Servers::default(),
            open: Vec::new(),
            random: Random::new(secret),
            datagram: Vec::new(),
        }
    }

    /// Goes on with other sources and limits. Other sources are read at the next look-up, and what
    /// others have said is forgotten.
    pub fn reconfigure(&mut self, sources: NameSources, limits: ResolverLimits) {
        self.names.set_limits(limits.names);
        self.times = limits.times;
        if !self.files.is_of(&sources) {
            self.files = Files::new(sources);
            self.names.clear();
            self.servers.forget();
        }
    }

    /// The addresses of `name`, or `Pending` until `waiter` is woken and asks again. What the file of
    /// hosts says counts first; then what is known; then the servers are asked. With a trailing dot
    /// it is the whole name, which is not searched in any domain.
    ///
    /// # Errors
    /// Within `Ready`, why there are none: [`Overloaded`](crate::dns::NameError::Overloaded) at once, if
    /// too many names are being asked for.
    pub fn look_up<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        name: &str,
        waiter: Token,
    ) -> Poll<Answer> {
        let now = reactor.now().mono;
        if self.files.look(now) {
            self.names.clear();
            self.servers.forget();
        }
        let name = match name.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        if let Some(addresses) = self.files.hosts.get(name.strip_suffix('.').unwrap_or(&name)) {
            return Poll::Ready(Ok(addresses));
        }
        match self.names.look_up(&name, waiter, now) {
            Known::Answer(answer) => Poll::Ready(answer),
            Known::Waiting => Poll::Pending,
            Known::Ask => self.begin(reactor, &name, waiter, now),
        }
    }

    /// `waiter` does not want to know any more. A question that is under way goes on, until its
    /// answer or its deadline: somebody may ask again.
    pub fn leave(&mut self, name: &str, waiter: Token) {
        self.names.leave(&name.to_ascii_lowercase(), &waiter);
    }

    /// How long what is known of `name` serves without another question; nothing is known of what
    /// the file of hosts says.
    #[must_use]
    pub fn lifetime(&self, name: &str, now: Instant) -> Option<Duration> {
        self.names.lifetime(&name.to_ascii_lowercase(), now)
    }

    /// A file of the sources that was read once and cannot be any more. It counts as it was; files
    /// are looked at when names are looked up.
    #[must_use]
    pub fn lost_file(&self) -> Option<&Path> {
        self.files.lost()
    }

    /// How many names are being asked for. Each has two sockets at most.
    #[must_use]
    pub const fn asking(&self) -> usize {
        self.open.len()
    }

    /// Goes on as far as it can, and wakes those who wait for what has come.
    pub fn drive<M>(&mut self, reactor: &mut Reactor<M>) {
        let mut open = std::mem::take(&mut self.open);
        open.retain_mut(|open| self.drive_lookup(open, reactor));
        open.append(&mut self.open);
        let deadlines = open.iter().map(Open::next_deadline);
        reactor.set_deadline(self.owner, deadlines.min());
        self.open = open;
    }

    /// Closes its sockets; who waits then waits in vain.
    pub fn close<M>(&mut self, reactor: &mut Reactor<M>) {
        for mut open in self.open.drain(..) {
            self.names.forget(&open.name);
            open.wires.iter_mut().filter_map(Option::take).for_each(|wire| wire.close(reactor));
        }
        reactor.set_deadline(self.owner, None);
    }

    fn begin<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        name: &str,
        waiter: Token,
        now: Instant,
    ) -> Poll<Answer> {
        let at_once = match name.parse::<IpAddr>() {
            Ok(address) => Some(Ok([address].into())),
            Err(_) if is_nowhere(name) => Some(Err(NameError::NoSuchName)),
            Err(_) => self.open_lookup(name, now).err().map(Err),
        };
        let Some(answer) = at_once else {
            reactor.wake(self.owner);
            return Poll::Pending;
        };
        self.names.answered(name, answer.clone(), None, now);
        self.names.leave(name, &waiter);
        Poll::Ready(answer)
    }

    fn open_lookup(&mut self, name: &str, now: Instant) -> Result<(), NameError> {
        let conf = &self.files.conf;
        let servers = self.servers.order(&conf.servers, conf.rotate, now);
        let lookup = Lookup::new(name, conf, &servers, self.times, now)?;
        let stale_at = self.names.stale_at(name);
        let wires = [const { None }; QUESTIONS];
        self.open.push(Open { name: name.to_owned(), lookup, wires, stale_at });
        Ok(())
    }

    /// Whether there is more to come.
    fn drive_lookup<M>(&mut self, open: &mut Open, reactor: &mut Reactor<M>) -> bool {
        let now = reactor.now().mono;
        for place in 0..QUESTIONS {
            self.receive(open, place, reactor);
        }
        let mut goes_on = true;
        while let Some(step) = open.lookup.step(now, &mut self.random) {
            match step {
                Step::Ask(place, query) => {
                    open.hang_up(place, reactor);
                    match Wire::open(query, self.owner, reactor) {
                        Ok(wire) => open.wires[place] = Some(wire),
                        Err(error) if is_exhaustion(&error) => open.lookup.postpone(place, now),
                        Err(error) => open.lookup.failed(place, &error),
                    }
                }
                Step::Found(found) => {
                    goes_on = !found.complete;
                    self.found(&open.name, found, reactor);
                }
            }
        }
        for (server, answered) in open.lookup.noticed() {
            self.servers.notice(server, answered, now);
        }
        for place in 0..QUESTIONS {
            if !open.lookup.is_waiting(place) {
                open.hang_up(place, reactor);
            }
        }
        if open.stale_at.is_some_and(|at| now >= at) {
            open.stale_at = None;
            self.names.waiters(&open.name).for_each(|&waiter| reactor.wake(waiter));
        }
        goes_on
    }

    fn found<M>(&mut self, name: &str, found: Found, reactor: &mut Reactor<M>) {
        let now = reactor.now().mono;
        let Found { answer, ttl, complete } = found;
        let waiters = match complete {
            true => self.names.answered(name, answer, ttl, now),
            false => self.names.answered_early(name, answer, ttl, now),
        };
        waiters.into_iter().for_each(|waiter| reactor.wake(waiter));
    }

    /// Takes what has come for one question, until that is its answer.
    fn receive<M>(&mut self, open: &mut Open, place: usize, reactor: &mut Reactor<M>) {
        let Some(wire) = &mut open.wires[place] else { return };
        for _ in 0..DATAGRAMS {
            if !open.lookup.is_waiting(place) {
                return;
            }
            self.datagram.clear();
            self.datagram.reserve(wire::DATAGRAM);
            match wire.receive(&mut self.datagram, reactor) {
                Poll::Pending => return,
                Poll::Ready(Ok(source)) => open.lookup.received(place, source, &self.datagram),
                Poll::Ready(Err(error)) => return open.lookup.failed(place, &error),
            }
        }
        reactor.wake(self.owner);
    }
}

impl Open {
    fn next_deadline(&self) -> Instant {
        let deadline = self.lookup.next_deadline();
        self.stale_at.map_or(deadline, |at| at.min(deadline))
    }

    fn hang_up<M>(&mut self, place: usize, reactor: &mut Reactor<M>) {
        if let Some(wire) = self.wires[place].take() {
            wire.close(reactor);
        }
    }
}
