//! The player of scenarios: runs one step after another.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tidegate::access::{Cidr, DestinationPolicy, DestinationRule};
use tidegate::proxy::{Command, Settings};

use super::form::{
    Action, At, Expected, Manner, Message, OPERATOR, OTHER_CLIENT, Peer, Scenario, Setup, State,
    Step, Written,
};
use super::geography;
use super::incoming::{End, HeadPattern, Miss};
use super::settings::{self, PSEUDONYM};
use super::stage::{CONTROL, Ground, HERE, Medium, Places, Stage, Terrain};
use super::text::{Names, Pattern, shown};

/// A failed scenario: a line and the error.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Plays `scenario` over `medium`. A panic is a failure of the current step.
pub(crate) fn play(scenario: &Scenario, medium: Medium) -> Result<(), Failure> {
    let mut line = 0;
    let mut run = || -> Result<(), String> {
        let mut player = Player::prepare(scenario, medium, &mut line)?;
        for At { line: at, what } in &scenario.steps {
            line = *at;
            player.step(what)?;
        }
        player.end(matches!(medium, Medium::Simulation { seed, .. } if seed.is_multiple_of(2)))
    };
    let played = panic::catch_unwind(AssertUnwindSafe(&mut run));
    let what = match played {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            format!("panicked: {}", text.or(panic.downcast_ref().copied()).unwrap_or_default())
        }
    };
    Err(Failure { line, what })
}

struct Player {
    stage: Stage,
    names: Names,
    settings: Settings,
    proxy: Places,
    /// Names of origins.
    origins: Vec<String>,
    /// Sockets that reserve the ports of refusing origins.
    _reserved: Vec<Socket>,
    /// Connections whose end a step has stated.
    ended: Vec<Peer>,
    /// Connections that a step has named.
    named: Vec<Peer>,
    takes_log: bool,
}

/// Longer than all timeouts in sequence.
const A_LONG_TIME: Duration = Duration::from_secs(3 * 60 * 60);

type Outcome = Result<(), String>;

impl Player {
    fn prepare(scenario: &Scenario, medium: Medium, line: &mut usize) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut ground =
            Ground::new(medium, scenario.security, &terrain(scenario)).map_err(failed)?;
        let mut names = Names::default();
        let mut settings = Settings::forward(PSEUDONYM);
        settings.origin_tls = ground.origin_tls();
        settings.server_tls = ground.server_tls();
        let (mut hosts, mut origins, mut reserved) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_configured = false;
        for At { line: at, what } in &scenario.setup {
            *line = *at;
            match what {
                Setup::Origin { name, at, manner } => {
                    let address = match (at, manner) {
                        (None, Manner::Refuses) => {
                            reserve(medium, &mut reserved).map_err(failed)?
                        }
                        (Some(address), Manner::Refuses) => *address,
                        (at, manner) => {
                            let at = at.unwrap_or(SocketAddr::new(HERE, 0));
                            let reactor = &mut ground.peer_reactor;
                            let bound = ground.peers.listen(reactor, name, at).map_err(failed)?;
                            if let Manner::Fate(fate) = manner {
                                ground.set_fate(bound, *fate);
                            }
                            bound
                        }
                    };
                    let host = format!("{name}.test");
                    if at.is_none() {
                        settings.destinations.rules.push(rule_for(&host)?);
                    }
                    names.add_address(name, &host, address);
                    hosts.push((host, vec![address.ip().to_string()]));
                    origins.push(name.clone());
                }
                Setup::Set(name, value) => {
                    let value = names.word(value, std::time::UNIX_EPOCH)?;
                    settings::set(&mut settings, name, &value)?;
                }
                Setup::Config(file) => {
                    if std::mem::replace(&mut is_configured, true) {
                        return Err("a file has one config".into());
                    }
                    let file = names.word(file, std::time::UNIX_EPOCH)?;
                    settings = configured(&file, &settings)?;
                }
                Setup::Clients(_) | Setup::Sockets(_) | Setup::Window(_) | Setup::ProxyHeaders => {}
            }
        }
        let (mut stage, proxy) = ground.open(settings.clone()).map_err(failed)?;
        stage.hosts.extend(hosts);
        names.add_address("proxy", "localhost", proxy.usual);
        let _reserved = reserved;
        let (ended, named) = (Vec::new(), Vec::new());
        Ok(Self {
            stage,
            names,
            settings,
            proxy,
            origins,
            _reserved,
            ended,
            named,
            takes_log: false,
        })
    }

    fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Send(who, written) => self.send(who, written)?,
            Step::Begin(who, text) => {
                let bytes = self.names.bytes(text, self.stage.wall())?;
                self.stage.peers.preface = bytes;
                self.for_each(who, |_, _| Ok(()))?;
                self.stage.peers.preface = Vec::new();
            }
            Step::Expect(who, expected) => {
                self.for_each(who, |all, peer| all.expect(peer, expected))?;
            }
            Step::Do(who, action) => self.for_each(who, |all, peer| all.act(peer, *action))?,
            Step::Is(who, state) => self.for_each(who, |all, peer| all.is(peer, *state))?,
            Step::Trailers(who, lines) => {
                self.for_each(who, |all, peer| all.trailers(peer, lines))?;
            }
            Step::Wait(time) => self.stage.wait(*time),
            Step::Jump(sign, time) => {
                let now = self.stage.wall();
                let to = if *sign < 0 { now - *time } else { now + *time };
                self.stage.clock.set_wall(to);
            }
            Step::Host(name, answer) => {
                let now = self.stage.wall();
                let words = answer.iter().map(|word| self.names.word(word, now));
                let words = words.collect::<Result<_, _>>()?;
                self.stage.hosts.insert(name.clone(), words);
            }
            Step::Log(words) => self.log(words)?,
            Step::Reload(name, value) => {
                let value = self.names.word(value, self.stage.wall())?;
                settings::set(&mut self.settings, name, &value)?;
                self.stage.command(Command::Reload(Arc::new(self.settings.clone())));
            }
            Step::Locate(networks) => {
                let databases = Arc::new(geography::databases(networks)?);
                self.stage.locate_by(databases);
            }
            Step::Notice(text) => {
                let notice = self.stage.worker.take_notice().unwrap_or_default();
                let is_same = notice.is_empty() == text.is_empty() && notice.contains(text);
                if !is_same {
                    return Err(format!("the notice '{text}' expected, '{notice}' found"));
                }
            }
            Step::Reconfigure(file) => {
                let file = self.names.word(file, self.stage.wall())?;
                self.settings = configured(&file, &self.settings)?;
                self.stage.command(Command::Reload(Arc::new(self.settings.clone())));
            }
            Step::Drain => self.stage.command(Command::Drain),
            Step::Abort => self.stage.abort(),
            Step::Pause(paused) => self.stage.paused = *paused,
            Step::PauseVerifier(paused) => self.stage.verifier_pauses = *paused,
            Step::PauseThreads(paused) => self.stage.threads_pause = *paused,
            _ => self.compare(step)?,
        }
        self.stage.settle();
        Ok(())
    }

    /// Compares a number or a state of the proxy.
    fn compare(&mut self, step: &Step) -> Outcome {
        self.stage.settle_well();
        let worker = &self.stage.worker;
        match step {
            Step::Asked(name, wanted) => same(self.stage.asked.get(name).unwrap_or(&0), wanted),
            Step::Connections(origin, wanted) => same(&self.stage.peers.accepted(origin), wanted),
            Step::Pooled(wanted) => same(&worker.idle_connections(), wanted),
            Step::Verified(wanted) => same(&self.stage.verified, wanted),
            Step::Metric(name, wanted) => same(&self.stage.metric(name), &Some(wanted.clone())),
            Step::Cached(wanted) => same(&worker.cache_stats().entries, wanted),
            Step::ProxyIs(state) if state == "finished" => same(&worker.is_finished(), &true),
            Step::ProxyIs(_) => same(&(worker.is_empty(), worker.dump()), &(true, Vec::new())),
            _ => Err("the player does not support this step".into()),
        }
    }

    fn for_each(
        &mut self,
        who: &[Peer],
        mut each: impl FnMut(&mut Self, &Peer) -> Outcome,
    ) -> Outcome {
        for peer in who {
            self.find(peer)?;
            each(self, peer).map_err(|what| format!("{peer}: {what}"))?;
        }
        Ok(())
    }

    fn send(&mut self, who: &[Peer], written: &[Written]) -> Outcome {
        let now = self.stage.wall();
        let mut bytes = Vec::new();
        for written in written {
            match written {
                Written::Raw(text) => bytes.extend(self.names.bytes(text, now)?),
                Written::Message(message) => {
                    for line in &message.head {
                        bytes.extend(self.names.bytes(line, now)?);
                        bytes.extend(b"\r\n");
                    }
                    if let Some(content) = &message.content {
                        bytes.extend(b"\r\n");
                        bytes.extend(self.names.bytes(content, now)?);
                    }
                }
            }
        }
        self.for_each(who, |all, peer| {
            let end = all.stage.peers.incoming(peer).and_then(|incoming| incoming.end);
            if let (Some(end), false) = (end, all.ended.contains(peer)) {
                return Err(format!("the connection has ended: {end:?}"));
            }
            all.stage.peers.send(&mut all.stage.peer_reactor, peer, &bytes);
            Ok(())
        })
    }

    /// Connects a client at its first mention; waits for an origin's connection.
    fn find(&mut self, peer: &Peer) -> Outcome {
        if self.named.contains(peer) {
            return Ok(());
        }
        self.named.push(peer.clone());
        if !self.origins.contains(&peer.name) {
            let (peers, reactor) = (&mut self.stage.peers, &mut self.stage.peer_reactor);
            let connected = match peer.name.as_str() {
                OPERATOR => peers.connect_local(reactor, peer, CONTROL.as_ref()),
                OTHER_CLIENT => {
                    let other = self.proxy.other.ok_or("the config has no [[listener]]")?;
                    peers.connect(reactor, peer, other)
                }
                _ => peers.connect(reactor, peer, self.proxy.usual),
            };
            connected.map_err(|error| error.to_string())?;
            self.stage.settle();
            return Ok(());
        }
        self.until(|all| match all.stage.peers.incoming(peer) {
            Some(_) => Ok(()),
            None => Err(Miss::Yet(format!("the origin has not accepted connection {peer}"))),
        })
    }

    fn act(&mut self, peer: &Peer, action: Action) -> Outcome {
        if matches!(action, Action::Close | Action::Reset) {
            self.ended.push(peer.clone());
        }
        self.stage.peers.act(&mut self.stage.peer_reactor, peer, action);
        self.stage.settle();
        Ok(())
    }

    fn expect(&mut self, peer: &Peer, expected: &Expected) -> Outcome {
        let now = self.stage.wall();
        let pattern = |text: &str| self.names.pattern(text, now);
        match expected {
            Expected::Message(message) => self.expect_message(peer, message, false),
            Expected::Exactly(message) => self.expect_message(peer, message, true),
            Expected::More(text) => {
                let wanted = pattern(text)?;
                self.until(|all| all.incoming(peer)?.content(&wanted, false))
            }
            Expected::Last(text) => {
                let wanted = pattern(text)?;
                self.until(|all| all.incoming(peer)?.content(&wanted, true))
            }
            Expected::Decoded(text, last) => {
                let wanted = pattern(text)?;
                self.until(|all| all.incoming(peer)?.decoded(&wanted, *last))
            }
            Expected::Raw(text) => {
                let wanted = pattern(text)?;
                self.until(|all| all.incoming(peer)?.raw(&wanted))
            }
        }
    }

    fn expect_message(&mut self, peer: &Peer, message: &Message, exact: bool) -> Outcome {
        let now = self.stage.wall();
        let pattern = |text: &String| self.names.pattern(text, now);
        let absent = |line: &&String| line.starts_with('!');
        let lines = message.head.iter().filter(|line| !absent(line)).map(pattern);
        let head = HeadPattern {
            lines: lines.collect::<Result<_, _>>()?,
            absent: message.head.iter().filter(absent).map(|line| line[1..].to_owned()).collect(),
            exact,
        };
        let content: Option<Pattern> = message.content.as_ref().map(pattern).transpose()?;
        self.until(|all| all.incoming(peer)?.head(&head))?;
        match content {
            Some(content) => self.until(|all| all.incoming(peer)?.content(&content, true)),
            None => Ok(()),
        }
    }

    fn trailers(&mut self, peer: &Peer, lines: &[String]) -> Outcome {
        let wanted = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        let incoming = self.stage.peers.incoming(peer).ok_or("no such connection")?;
        same(&shown(incoming.trailers()), &shown(wanted.as_bytes()))
    }

    fn is(&mut self, peer: &Peer, state: State) -> Outcome {
        match state {
            State::Quiet => {
                self.stage.settle_well();
                let incoming = self.stage.peers.incoming(peer).ok_or("no such connection")?;
                return same(&(shown(&incoming.rest()), incoming.end), &(String::new(), None));
            }
            State::Blocked | State::Sent => {
                self.stage.settle_well();
                let blocked = self.stage.peers.unsent(peer) > 0;
                return same(&blocked, &(state == State::Blocked));
            }
            State::Closed | State::Reset | State::Gone => {}
        }
        self.ended.push(peer.clone());
        self.until(|all| {
            let incoming = all.incoming(peer)?;
            let rest = shown(&incoming.rest());
            match (incoming.end, state) {
                _ if !rest.is_empty() => Err(Miss::Wrong(format!("no step has consumed\n{rest}"))),
                (None, _) => Err(Miss::Yet("the connection is still open".into())),
                (Some(End::Closed), State::Reset) => {
                    Err(Miss::Wrong("the connection was closed".into()))
                }
                (Some(End::Reset), State::Closed) => {
                    Err(Miss::Wrong("the connection was reset".into()))
                }
                _ => Ok(()),
            }
        })
    }

    fn log(&mut self, words: &str) -> Outcome {
        self.stage.settle_well();
        self.takes_log = true;
        if self.stage.lines.is_empty() {
            return Err(format!("no line '{words}' in the log"));
        }
        let line = self.stage.lines.remove(0);
        let mut rest = line.split_whitespace();
        for word in words.split_whitespace() {
            let wanted = self.names.pattern(word, self.stage.wall())?;
            if !rest.any(|there| wanted.matches(there.as_bytes())) {
                return Err(format!("'{wanted}' is missing or out of order in\n{line}"));
            }
        }
        Ok(())
    }

    fn incoming(&mut self, peer: &Peer) -> Result<&mut super::incoming::Incoming, Miss> {
        let incoming = self.stage.peers.incoming(peer);
        incoming.ok_or_else(|| Miss::Wrong("no such connection".into()))
    }

    /// Repeats `attempt` until it succeeds. Bytes may still be in flight through the kernel.
    fn until(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<(), Miss>) -> Outcome {
        for left in (0..=self.stage.patience()).rev() {
            match attempt(self) {
                Ok(()) => return Ok(()),
                Err(Miss::Wrong(what)) => return Err(what),
                Err(Miss::Yet(what)) if left == 0 => return Err(what),
                Err(Miss::Yet(_)) => self.stage.settle_well(),
            }
        }
        Ok(())
    }

    /// Asserts that no unexpected bytes or lines are left, and no object of any exchange: after all
    /// peers have closed or, if they `linger` without closing, after all timeouts have passed.
    fn end(mut self, linger: bool) -> Outcome {
        self.stage.settle_well();
        if self.takes_log
            && let Some(line) = self.stage.lines.first()
        {
            return Err(format!("no step has consumed the log line\n{line}"));
        }
        for peer in self.stage.peers.all() {
            self.check_end(&peer).map_err(|what| format!("at the end, {peer}: {what}"))?;
            if !linger {
                self.stage.peers.act(&mut self.stage.peer_reactor, &peer, Action::Close);
            }
        }
        self.stage.paused = false;
        self.stage.verifier_pauses = false;
        self.stage.threads_pause = false;
        self.stage.wait(if linger { A_LONG_TIME } else { Duration::ZERO });
        match self.stage.worker.is_empty() {
            true => Ok(()),
            false => Err(format!("objects left at the end: {:?}", self.stage.worker.dump())),
        }
    }

    fn check_end(&mut self, peer: &Peer) -> Outcome {
        if !self.named.contains(peer) {
            return Err("no step has named this connection".into());
        }
        let (client, open) = (!self.origins.contains(&peer.name), self.stage.peers.is_open(peer));
        let said = self.ended.contains(peer);
        let incoming = self.stage.peers.incoming(peer).ok_or("no such connection")?;
        match (shown(&incoming.rest()), incoming.end) {
            (rest, _) if !rest.is_empty() && open => Err(format!("no step has consumed\n{rest}")),
            (_, Some(end)) if client && !said => {
                Err(format!("no step has stated this end: {end:?}"))
            }
            _ => Ok(()),
        }
    }
}

fn terrain(scenario: &Scenario) -> Terrain {
    let mut terrain = Terrain::default();
    for setup in &scenario.setup {
        match setup.what {
            Setup::Clients(address) => terrain.clients = address,
            Setup::Sockets(sockets) => terrain.sockets = sockets,
            Setup::Window(window) => terrain.window = Some(window),
            Setup::ProxyHeaders => terrain.proxy_headers = true,
            Setup::Set(..) | Setup::Config(_) | Setup::Origin { .. } => {}
        }
    }
    terrain
}

/// Returns the settings of a configuration file, with TLS and log as `before`.
fn configured(file: &str, before: &Settings) -> Result<Settings, String> {
    let read = settings::read_config(file)?;
    let mut rules = before.destinations.rules.clone();
    rules.extend(
        read.destinations
            .rules
            .iter()
            .filter(|rule| !before.destinations.rules.contains(rule))
            .cloned(),
    );
    Ok(Settings {
        origin_tls: before.origin_tls.clone(),
        server_tls: before.server_tls.clone(),
        log: before.log.clone(),
        destinations: DestinationPolicy { rules, ..read.destinations },
        ..read
    })
}

/// Returns an address without a listener; on loopback, the reserved socket holds its port.
fn reserve(medium: Medium, reserved: &mut Vec<Socket>) -> std::io::Result<SocketAddr> {
    if medium != Medium::Loopback {
        return Ok(SocketAddr::new(HERE, 9009));
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(HERE, 0).into())?;
    let address = socket.local_addr()?.as_socket();
    reserved.push(socket);
    address.ok_or_else(|| std::io::ErrorKind::AddrNotAvailable.into())
}

/// Returns a rule that allows `host` at the address of this machine.
fn rule_for(host: &str) -> Result<DestinationRule, String> {
    let here = Cidr::new(HERE, 32).ok_or("invalid range")?;
    Ok(DestinationRule::NameWithin(host.parse()?, here))
}

fn same<T: PartialEq + fmt::Debug>(found: &T, wanted: &T) -> Outcome {
    if found == wanted { Ok(()) } else { Err(format!("{wanted:?} expected, {found:?} found")) }
}
