//! A resolver and its name servers on a simulated network.

use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

use tidegate::dns::LookupResult;
use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::reactor::{
    App, Arena, Clock, Driven, Event, NameSource, NameSources, Reactor, Resolver, ResolverLimits,
    Token,
};

use crate::server::Server;

pub(crate) struct Names;
impl Driven for Names {
    const KIND: u8 = 0;
}

/// A caller that waits for addresses.
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) client: Option<IpAddr>,
    pub(crate) answer: Option<LookupResult>,
    /// Number of partial answers received.
    pub(crate) parts: usize,
}
impl Driven for Guest {
    const KIND: u8 = 1;
}

pub(crate) struct Program {
    pub(crate) resolver: Resolver,
    pub(crate) guests: Arena<Guest>,
}

impl App for Program {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(id) = token.id::<Guest>() {
            let Some(guest) = self.guests.get_mut(id) else { return };
            let found = self.resolver.look_up(reactor, &guest.name, token, guest.client);
            if let Poll::Ready(found) = found {
                guest.parts += usize::from(found.as_ref().is_ok_and(|found| !found.complete));
                guest.answer = Some(found.map(|found| found.list));
            }
        } else {
            self.resolver.drive(reactor, token);
        }
        self.resolver.check();
    }
}

pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) reactor: Reactor<()>,
    pub(crate) program: Program,
    pub(crate) servers: Vec<Server>,
    pub(crate) start: Instant,
}

pub(crate) fn server_address(last: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(last).unwrap()], 53))
}

pub(crate) const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));
const NOW: Option<Duration> = Some(Duration::ZERO);

impl Scene {
    pub(crate) fn new(seed: u64, servers: usize, faults: &Faults) -> Self {
        Self::with(seed, servers, faults, "192.0.2.7 printer.test\n", "")
    }

    pub(crate) fn with(
        seed: u64,
        servers: usize,
        faults: &Faults,
        hosts: &str,
        conf: &str,
    ) -> Self {
        let network = Network::new(seed);
        let addresses: Vec<SocketAddr> = (1..=servers).map(server_address).collect();
        let sources = NameSources {
            hosts: NameSource::Text(hosts.into()),
            resolv_conf: NameSource::Text(conf.into()),
            servers: addresses.clone(),
            ..NameSources::default()
        };
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&network.fork_rng().next().to_le_bytes());
        let resolver = Resolver::new::<Names>(sources, ResolverLimits::default(), secret);
        let servers = addresses
            .iter()
            .map(|&address| {
                let mut server = Server::new(&network, address, faults.clone());
                server.add("a.test 60 A 198.51.100.1");
                server.add("a.test 50 AAAA 2001:db8::1");
                server.add("four.test 60 A 198.51.100.4");
                server.add("alias.test 60 CNAME four.test");
                server
            })
            .collect();
        Self {
            reactor: network.reactor(HERE, faults.clone()),
            program: Program { resolver, guests: Arena::new() },
            servers,
            start: network.clock().now().mono,
            network,
        }
    }

    pub(crate) fn ask(&mut self, name: &str) -> Token {
        self.ask_for(name, None)
    }

    /// Starts a lookup for a client.
    pub(crate) fn ask_for(&mut self, name: &str, client: Option<IpAddr>) -> Token {
        self.settle();
        let guest = Guest { name: name.into(), client, answer: None, parts: 0 };
        let token = self.program.guests.insert(guest).token();
        self.drive(token);
        token
    }

    /// Starts a lookup without handling other events before.
    pub(crate) fn ask_now(&mut self, name: &str) -> Token {
        let guest = Guest { name: name.into(), client: None, answer: None, parts: 0 };
        let token = self.program.guests.insert(guest).token();
        self.drive(token);
        token
    }

    /// Turns the resolver's reactor once, without the servers.
    pub(crate) fn settle_own(&mut self) {
        self.reactor.turn(&mut self.program, NOW).unwrap();
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut program = Metered::new(&mut self.program);
            let mut busy = !self.reactor.turn(&mut program, NOW).unwrap().is_idle();
            program.end();
            for server in &mut self.servers {
                busy |= server.turn();
            }
            if !busy {
                return;
            }
        }
        panic!("the resolver and its servers keep each other busy");
    }

    /// Advances the clock by `time`, with turns for all.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.network.clock().now().mono + time;
        self.run_until(end, |_| false);
        self.network.clock().advance_to(end);
        self.settle();
    }

    /// Runs until `done` returns true, or until `end`.
    pub(crate) fn run_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        loop {
            self.settle();
            if done(self) {
                return;
            }
            match self.next_event(self.reactor.next_deadline()) {
                Some(next) if next <= end => {
                    let clock = self.network.clock();
                    clock.advance_to(next.max(clock.now().mono + Duration::from_nanos(1)));
                }
                _ => break,
            }
        }
    }

    /// Returns the time of the next event: `own`, an arrival on the network, or a timer of a
    /// server.
    fn next_event(&self, own: Option<Instant>) -> Option<Instant> {
        let servers = self.servers.iter().filter_map(|server| server.reactor.next_deadline());
        servers.chain(self.network.next_arrival()).chain(own).min()
    }

    /// Advances the clock by `time` without a turn of the resolver.
    pub(crate) fn stall(&mut self, time: Duration) {
        let end = self.network.clock().now().mono + time;
        loop {
            while self.servers.iter_mut().any(Server::turn) {}
            match self.next_event(None).filter(|&next| next <= end) {
                Some(next) => self.network.clock().advance_to(next),
                None => break,
            }
        }
        self.network.clock().advance_to(end);
    }

    /// Repeats the caller's lookup, as if it was driven for another reason.
    pub(crate) fn drive(&mut self, guest: Token) {
        let event = Event::Drive(guest, tidegate::reactor::WakeReason::TIMER);
        self.program.handle(&mut self.reactor, event);
    }

    pub(crate) fn answer(&self, guest: Token) -> Option<&LookupResult> {
        self.program.guests.get(guest.id().unwrap()).unwrap().answer.as_ref()
    }

    /// Returns the outcome of a lookup of `name` as text.
    pub(crate) fn resolve(&mut self, name: &str) -> String {
        let guest = self.ask(name);
        let end = self.network.clock().now().mono + Duration::from_secs(10);
        self.run_until(end, |scene| scene.answer(guest).is_some());
        self.shown(guest)
    }

    pub(crate) fn shown(&self, guest: Token) -> String {
        match self.answer(guest) {
            None => "nothing".into(),
            Some(Err(error)) => error.to_string(),
            Some(Ok(list)) => list.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    pub(crate) fn took(&self) -> Duration {
        self.network.clock().now().mono - self.start
    }

    pub(crate) fn heard(&self) -> usize {
        self.servers.iter().map(|server| server.zone.heard.len()).sum()
    }

    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        self.run(Duration::from_secs(10));
        assert_eq!(self.program.resolver.asking(), 0);
        assert_eq!(self.reactor.open_sockets(), 0, "sockets are left open");
    }
}
