//! Names resolved on the loop: the sockets and files of the stub resolver in [`dns`](crate::dns).

mod files;
mod lookups;
mod reader;
mod sources;
pub(super) mod system;
mod wire;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::dns::{
    Addresses, CacheAnswer, Lookup, LookupResult, NameCache, NameError, NameLimits, Random,
    Servers, Timeouts, is_host_name, is_nowhere,
};
use crate::reactor::arena::{Driven, Token};
use crate::reactor::{Reactor, Wake};

use files::Files;
use lookups::{Lookups, News};
pub use sources::{NameSource, NameSources};

/// Waiters woken in one drive, so that a name with many waiters does not hold up the loop.
const WAKES: usize = 1024;

/// How long look-ups and their answers live.
#[derive(Clone, Copy, Debug)]
pub struct ResolverLimits {
    /// How long answers are kept, and how many.
    pub names: NameLimits,
    /// How long servers may take.
    pub times: Timeouts,
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
                stale_ttl: seconds(60 * 60),
                stale_after: Duration::from_millis(1800),
                recheck: seconds(30),
                names: 10_000,
                max_in_flight: 256,
            },
            times: Timeouts { attempt: seconds(2), total: seconds(8) },
        }
    }
}

/// A stub resolver on the loop: it asks servers over UDP and TCP. A thread of its own reads the files
/// that it goes by, and does nothing else; it is started by the first look-up, so watch signals before
/// that ([`Reactor::watch_signals`]).
///
/// Its look-ups are active objects like any other: their tokens have the kind of the type that
/// [`new`](Self::new) is given, which has no objects of its own. The program hands every token of that
/// kind to [`drive`](Self::drive). An object that wants to know addresses calls
/// [`look_up`](Self::look_up) with its own token, is woken when there is more to know, and calls
/// again. One name is asked for once, however many wait; an object that waits no more says so with
/// [`leave`](Self::leave).
///
/// ```
/// use std::task::Poll;
/// use tidegate::reactor::{
///     App, Arena, Driven, Event, NameSource, NameSources, Reactor, Resolver, ResolverLimits, Token,
/// };
///
/// struct Names;
/// impl Driven for Names {
///     const KIND: u8 = 0;
/// }
/// struct Visit;
/// impl Driven for Visit {
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
///         match self.resolver.look_up(reactor, "printer.test", visit, None) {
///             Poll::Ready(Ok(addresses)) if addresses.complete => {
///                 self.found = Some(format!("{:?}", addresses.list));
///             }
///             Poll::Ready(Err(error)) => self.found = Some(error.to_string()),
///             Poll::Ready(Ok(_)) | Poll::Pending => {} // driven again when there is more
///         }
///     }
/// }
///
/// impl App for Program {
///     type Mail = ();
///
///     fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
///         let Event::Drive(token, _) = event else { return };
///         if token.kind() == Names::KIND {
///             self.resolver.drive(reactor, token);
///         } else {
///             self.visit(reactor, token);
///         }
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let visit = Arena::new().insert(Visit).token();
/// let hosts = NameSource::Text("192.0.2.7 printer.test".into());
/// let sources = NameSources { hosts, ..NameSources::default() }; // else /etc/hosts
/// let secret = [7; 32]; // of /dev/urandom, in a program
/// let resolver = Resolver::new::<Names>(sources, ResolverLimits::default(), secret);
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
    names: NameCache<Token>,
    times: Timeouts,
    files: Files,
    servers: Servers,
    lookups: Lookups,
    /// Waiters for the first reading of the files.
    parked: BTreeSet<Token>,
}

impl Resolver {
    /// A resolver whose tokens are of the kind of `T`. Nothing is read or asked yet. `secret`
    /// decides ids of queries and the spelling of names: a forger must not know it.
    #[must_use]
    pub fn new<T: Driven>(sources: NameSources, limits: ResolverLimits, secret: [u8; 32]) -> Self {
        Self {
            names: NameCache::new(limits.names),
            times: limits.times,
            files: Files::new(sources),
            servers: Servers::default(),
            lookups: Lookups::new(T::KIND, Random::new(secret)),
            parked: BTreeSet::new(),
        }
    }

    /// Goes on with other sources and limits. Other sources are read before another name is looked up,
    /// and the answers of replaced servers are forgotten.
    pub fn reconfigure<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        sources: NameSources,
        limits: ResolverLimits,
    ) {
        self.names.set_limits(limits.names);
        self.times = limits.times;
        if !self.files.is_of(&sources) {
            self.files = Files::new(sources);
            self.names.clear();
            self.servers.forget();
            reactor.wake(self.lookups.own_token()); // there may be waiters for the files
        }
    }

    /// Returns the addresses of `name`, as far as they are known. Unless they are complete, `waiter` is
    /// woken when there is more, and asks again. The file of hosts counts first; then what is known;
    /// then the servers are asked. With a trailing dot it is the whole name, which is not searched in
    /// any domain.
    ///
    /// Places for questions are shared between clients by a rule ([`Shares`](crate::shares::Shares))
    /// that keeps one of them from taking all. `client` is who wants to know, as the caller tells
    /// clients apart: an IPv4 address, or the first of a network of IPv6. `None` is bounded only by
    /// the number of places.
    ///
    /// # Errors
    /// Within `Ready`, why there are none. [`Overloaded`](NameError::Overloaded) at once, if the client
    /// has as many questions as it may, and no answer that has expired serves instead.
    pub fn look_up<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        name: &str,
        waiter: Token,
        client: Option<IpAddr>,
    ) -> Poll<Result<Addresses, NameError>> {
        let read = self.read_files(reactor);
        if !self.files.are_read() {
            if let Err(error) = read {
                let text = format!("no thread to read the files about names: {error}");
                return Poll::Ready(Err(NameError::Unanswered(text)));
            }
            self.parked.insert(waiter);
            return Poll::Pending;
        }
        let name = lower_case(name);
        if let Some(answer) = self.known_here(&name) {
            return Poll::Ready(answer.map(|list| Addresses { list, complete: true }));
        }
        let now = reactor.now().mono;
        let mut known = self.names.look_up(&name, waiter, client, now);
        if known.is_open()
            && let Some(news) = self.lookups.drive_ready(&name, reactor)
        {
            self.take(news, reactor);
            known = self.names.look_up(&name, waiter, client, now);
        }
        match known {
            CacheAnswer::Answer(answer) => return Poll::Ready(answer),
            CacheAnswer::Waiting => {}
            CacheAnswer::Ask(displaced) => {
                if let Some(other) = displaced {
                    self.lookups.close(&other, reactor);
                }
                self.begin(&name, now, reactor);
            }
        }
        Poll::Pending
    }

    /// Removes `waiter` from those that wait for `name`. A question that no other waits for goes on
    /// while there is room for it: its answer may be wanted again.
    pub fn leave(&mut self, name: &str, waiter: Token) {
        self.parked.remove(&waiter);
        self.names.leave(&lower_case(name), &waiter);
    }

    /// Returns the time for which what is known of `name` serves without another question; nothing is
    /// known of what the file of hosts says.
    #[must_use]
    pub fn lifetime(&self, name: &str, now: Instant) -> Option<Duration> {
        self.names.lifetime(&lower_case(name), now)
    }

    /// Returns a file of the sources that was read once and cannot be any more. It counts as it was;
    /// files are looked at when names are looked up.
    #[must_use]
    pub fn lost_file(&self) -> Option<&Path> {
        self.files.lost()
    }

    /// Returns the number of names that are being asked for. Each has two sockets at most.
    #[must_use]
    pub fn asking(&self) -> usize {
        self.names.count().1
    }

    /// Returns all waiters, with the names that they wait for.
    pub fn waiters(&self) -> impl Iterator<Item = (&str, Token)> {
        self.names.waiters()
    }

    /// Drives the look-up that `token` names, or the resolver itself, and wakes waiters that there is
    /// an answer for.
    pub fn drive<M>(&mut self, reactor: &mut Reactor<M>, token: Token) {
        if let Some(news) = self.lookups.drive(token, reactor) {
            return self.take(news, reactor);
        }
        let failed = self.read_files(reactor).is_err();
        if failed || self.files.are_read() {
            for waiter in (0..WAKES).map_while(|_| self.parked.pop_first()) {
                reactor.wake(waiter);
            }
        }
        self.tell(reactor);
    }

    /// Closes its sockets; an object that waits then waits in vain.
    pub fn close<M>(&mut self, reactor: &mut Reactor<M>) {
        for name in self.lookups.close_all(reactor) {
            self.names.forget(&name);
        }
        self.parked.clear();
    }

    /// Compares the books of the resolver with each other; for simulations.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn check(&self) {
        self.names.check();
        assert_eq!(self.lookups.len(), self.asking(), "each question is a look-up");
    }

    /// Has the files looked at, and goes by what was read last.
    fn read_files<M>(&mut self, reactor: &Reactor<M>) -> io::Result<()> {
        let own = self.lookups.own_token();
        let looking = self.files.look(reactor.now().mono, || reactor.waker(own));
        if self.files.take() {
            self.names.clear();
            self.servers.forget();
        }
        looking
    }

    /// Returns what needs no question.
    fn known_here(&self, name: &str) -> Option<LookupResult> {
        if let Some(addresses) = self.files.hosts.get(name.strip_suffix('.').unwrap_or(name)) {
            return Some(Ok(addresses));
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(Ok([address].into()));
        }
        if is_nowhere(name) {
            return Some(Err(NameError::NoSuchName));
        }
        (!is_host_name(name)).then_some(Err(NameError::NotAName))
    }

    /// Begins to ask the servers for `name`.
    fn begin<M>(&mut self, name: &str, now: Instant, reactor: &mut Reactor<M>) {
        let conf = &self.files.conf;
        let servers = self.servers.order(&conf.servers, conf.rotate, now);
        match Lookup::new(name, conf, &servers, self.times) {
            Ok(lookup) => {
                let expired_at = self.names.expired_serves_at(name);
                self.lookups.open(name.into(), lookup, expired_at, reactor);
            }
            Err(error) => {
                self.names.answered(name, Err(error), None, now);
                self.tell(reactor);
            }
        }
    }

    /// Takes the outcome of driving a look-up.
    fn take<M>(&mut self, (name, news): (Arc<str>, Vec<News>), reactor: &mut Reactor<M>) {
        let now = reactor.now().mono;
        for news in news {
            match news {
                News::Slow => self.names.tell_expired(&name, now),
                News::Server(server, notice) => self.servers.notice(server, notice, now),
                News::Found(found) => match found.answer {
                    Ok(list) if !found.complete => {
                        self.names.answered_in_part(&name, list, found.ttl, now);
                    }
                    answer => self.names.answered(&name, answer, found.ttl, now),
                },
            }
        }
        self.tell(reactor);
    }

    /// Wakes waiters that were not told yet of an answer; if they are very many, the rest soon.
    fn tell<M>(&mut self, reactor: &mut Reactor<M>) {
        self.names.told(WAKES).into_iter().for_each(|waiter| reactor.wake(waiter));
        let parked = self.files.are_read() && !self.parked.is_empty();
        if self.names.has_to_tell() || parked {
            reactor.wake(self.lookups.own_token());
        }
    }
}

fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}
