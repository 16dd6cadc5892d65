//! Name resolution on the loop: sockets and files for the stub resolver in [`dns`](crate::dns).

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

/// Limits of look-ups and stored answers.
#[derive(Clone, Copy, Debug)]
pub struct ResolverLimits {
    /// Lifetimes and number of the stored answers, and number of look-ups at a time.
    pub names: NameLimits,
    /// Timeouts of the servers.
    pub times: Timeouts,
}

impl Default for ResolverLimits {
    /// Suits most programs: TTLs between 1 s and 1 h, 10,000 names, 256 look-ups at a time of at
    /// most 8 s each, and expired answers served for one more hour while the servers are down.
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

/// A stub resolver on the loop, which queries servers over UDP and TCP.
///
/// A thread reads the files of the [`NameSources`], and does nothing else. The first look-up starts
/// the thread, so watch signals before that ([`Reactor::watch_signals`]).
///
/// Look-ups are driven objects like any other. Their tokens have the kind of the type given to
/// [`new`](Self::new), which must have no objects of its own. The program passes every token of
/// that kind to [`drive`](Self::drive).
///
/// An object that needs addresses calls [`look_up`](Self::look_up) with its own token. The object
/// is woken when more is known, and calls again. An object that no longer waits calls
/// [`leave`](Self::leave). One look-up serves all waiters for a name.
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
///             Poll::Ready(Ok(_)) | Poll::Pending => {} // woken when more is known
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
/// let sources = NameSources { hosts, ..NameSources::default() }; // the default is /etc/hosts
/// let secret = [7; 32]; // a program reads it from /dev/urandom
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
    /// Objects that wait for the first reading of the files.
    parked: BTreeSet<Token>,
}

impl Resolver {
    /// Creates a resolver whose tokens have the kind of `T`. Reads nothing and queries no server
    /// yet.
    ///
    /// `secret` determines ids of queries and the spelling of names in them. It must be random and
    /// secret, because an attacker who knows it can forge answers.
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

    /// Replaces sources and limits. New sources are read before the next name is looked up, and the
    /// answers of replaced servers are dropped.
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
            reactor.wake(self.lookups.own_token()); // objects may be waiting for the files
        }
    }

    /// Returns the addresses of `name`, as far as they are known. Unless they are complete,
    /// `waiter` is woken when more is known, and has to call again.
    ///
    /// The hosts file comes first, then stored answers, then the servers. A trailing dot marks an
    /// absolute name, which is not searched in any domain.
    ///
    /// Clients share the limit of look-ups at a time by a rule ([`Shares`](crate::shares::Shares))
    /// that keeps one client from taking all of them. `client` identifies the client: its IPv4
    /// address, or the first address of its IPv6 network. `None` takes any free place.
    ///
    /// # Errors
    /// `Ready` with the reason why there are no addresses. [`Overloaded`](NameError::Overloaded) is
    /// returned at once if the client may begin no further look-up and no expired answer can be
    /// served instead.
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

    /// Removes `waiter` from the waiters for `name`. A look-up without waiters continues while
    /// there is room for it, because its answer may be needed again.
    pub fn leave(&mut self, name: &str, waiter: Token) {
        self.parked.remove(&waiter);
        self.names.leave(&lower_case(name), &waiter);
    }

    /// Returns the time for which the stored answer for `name` will be used without another
    /// look-up. `None` if no answer is stored; names of the hosts file have none.
    #[must_use]
    pub fn lifetime(&self, name: &str, now: Instant) -> Option<Duration> {
        self.names.lifetime(&lower_case(name), now)
    }

    /// Returns a file of the sources that was read before and cannot be read any more. Its last
    /// content remains in use. Files are checked when names are looked up.
    #[must_use]
    pub fn lost_file(&self) -> Option<&Path> {
        self.files.lost()
    }

    /// Returns the number of look-ups under way. Each has at most two sockets.
    #[must_use]
    pub fn asking(&self) -> usize {
        self.names.count().1
    }

    /// Returns all waiters with the names that they wait for.
    pub fn waiters(&self) -> impl Iterator<Item = (&str, Token)> {
        self.names.waiters()
    }

    /// Drives the look-up named by `token`, or the resolver itself, and wakes waiters whose
    /// answer has arrived.
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

    /// Closes all sockets and drops all waiters, which are not woken.
    pub fn close<M>(&mut self, reactor: &mut Reactor<M>) {
        for name in self.lookups.close_all(reactor) {
            self.names.forget(&name);
        }
        self.parked.clear();
    }

    /// Checks that the tables of the resolver agree with each other; for simulations.
    ///
    /// # Panics
    /// Panics if the tables disagree.
    pub fn check(&self) {
        self.names.check();
        assert_eq!(self.lookups.len(), self.asking(), "each question is a look-up");
    }

    /// Starts a check of the files if one is due, and uses what was read last.
    fn read_files<M>(&mut self, reactor: &Reactor<M>) -> io::Result<()> {
        let own = self.lookups.own_token();
        let looking = self.files.look(reactor.now().mono, || reactor.waker(own));
        if self.files.take() {
            self.names.clear();
            self.servers.forget();
        }
        looking
    }

    /// Returns the answer for a name that needs no server.
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

    /// Begins to query the servers for `name`.
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

    /// Stores the results of driving a look-up.
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

    /// Wakes waiters for stored answers, a limited number at once; the rest in the next drive.
    fn tell<M>(&mut self, reactor: &mut Reactor<M>) {
        self.names.notified(WAKES).into_iter().for_each(|waiter| reactor.wake(waiter));
        let parked = self.files.are_read() && !self.parked.is_empty();
        if self.names.has_pending() || parked {
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
