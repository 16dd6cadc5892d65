//! The resolver's files: a thread reads them, and the loop does not wait.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::{
    App, Driven, Event, NameSource, NameSources, Reactor, Resolver, ResolverLimits, TcpTransport,
    Token, VirtualClock,
};
use tidegate::work;

use crate::support::{Folder, LONG, tokens};

/// Time between two checks of the files.
const INTERVAL: Duration = Duration::from_secs(5);

struct Names;
impl Driven for Names {
    const KIND: u8 = 1;
}

/// A program that looks up one name whenever the waiter is driven.
struct Program {
    resolver: Resolver,
    name: &'static str,
    waiter: Token,
    found: Option<String>,
    /// Waiters that were driven.
    woken: Vec<Token>,
    /// Steps of all lookups and drives.
    steps: u64,
}

impl Program {
    fn look_up(&mut self, reactor: &mut Reactor<()>) {
        let before = work::counted();
        let found = self.resolver.look_up(reactor, self.name, self.waiter, None);
        self.steps += work::counted() - before;
        self.found = match found {
            Poll::Pending => None,
            Poll::Ready(Ok(found)) => {
                Some(found.list.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
            }
            Poll::Ready(Err(error)) => Some(error.to_string()),
        };
    }
}

impl App for Program {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if token.kind() == Names::KIND {
            let before = work::counted();
            self.resolver.drive(reactor, token);
            self.steps += work::counted() - before;
        } else {
            self.woken.push(token);
            self.look_up(reactor);
        }
    }
}

struct Scene {
    reactor: Reactor<()>,
    clock: VirtualClock,
    program: Program,
}

impl Scene {
    fn new(hosts: &Path) -> Self {
        let clock = VirtualClock::default();
        let transport = Box::new(TcpTransport::new().unwrap());
        let sources = sources(hosts);
        let resolver = Resolver::new::<Names>(sources, ResolverLimits::default(), [7; 32]);
        let [waiter] = tokens();
        let program =
            Program { resolver, name: "", waiter, found: None, woken: Vec::new(), steps: 0 };
        Self { reactor: Reactor::with(transport, Box::new(clock.clone())), clock, program }
    }

    /// Looks a name up; returns the result if it is available at once.
    fn ask(&mut self, name: &'static str) -> Option<String> {
        (self.program.name, self.program.found) = (name, None);
        self.program.look_up(&mut self.reactor);
        self.program.found.clone()
    }

    /// Looks a name up, and waits for the result.
    fn wait_for(&mut self, name: &'static str) -> String {
        let mut found = self.ask(name);
        while found.is_none() {
            let turn = self.reactor.turn(&mut self.program, Some(LONG)).unwrap();
            assert!(!turn.is_idle(), "no event wakes the waiter");
            found = self.program.found.clone();
        }
        found.unwrap()
    }
}

fn sources(hosts: &Path) -> NameSources {
    NameSources {
        hosts: NameSource::File(hosts.to_owned()),
        resolv_conf: NameSource::Text(String::new()),
        servers: vec!["127.0.0.1:1".parse().unwrap()], // no server listens there
        ..NameSources::default()
    }
}

#[test]
fn first_lookup_waits_for_the_file_parsed_by_another_thread() {
    let folder = Folder::new("names-first");
    let mut text = String::from("192.0.2.1 a.test\n");
    (0..50_000).for_each(|n| text.push_str(&format!("192.0.2.2 n{n}.blocked.test\n")));
    let mut scene = Scene::new(&folder.write("hosts", &text));
    assert_eq!(scene.wait_for("n49999.blocked.test"), "192.0.2.2");
    assert_eq!(scene.ask("a.test").as_deref(), Some("192.0.2.1"));
    assert!(scene.program.steps < 5_000, "{} steps on the loop", scene.program.steps);
}

#[test]
fn last_hosts_table_is_used_until_the_next_is_read() {
    let folder = Folder::new("names-next");
    let hosts = folder.write("hosts", "192.0.2.1 a.test");
    let mut scene = Scene::new(&hosts);
    assert_eq!(scene.wait_for("a.test"), "192.0.2.1");
    folder.write("hosts", "192.0.2.2 a.test");
    assert_eq!(scene.ask("a.test").as_deref(), Some("192.0.2.1"), "the file was checked just now");
    scene.clock.advance(INTERVAL);
    scene.reactor.turn(&mut scene.program, Some(Duration::ZERO)).unwrap();
    let mut found = scene.ask("a.test").expect("later lookups do not wait for the file");
    while found != "192.0.2.2" {
        assert_eq!(found, "192.0.2.1");
        scene.reactor.turn(&mut scene.program, Some(LONG)).unwrap();
        found = scene.ask("a.test").unwrap();
    }
    fs::remove_file(&hosts).unwrap();
    scene.clock.advance(INTERVAL);
    while scene.program.resolver.lost_file().is_none() {
        scene.reactor.turn(&mut scene.program, Some(Duration::from_millis(1))).unwrap();
        assert_eq!(
            scene.ask("a.test").as_deref(),
            Some("192.0.2.2"),
            "the last table stays in use"
        );
    }
    assert_eq!(scene.program.resolver.lost_file(), Some(&*hosts));
}

#[test]
fn new_sources_apply_to_waiting_lookups() {
    let folder = Folder::new("names-other");
    let mut scene = Scene::new(&folder.write("hosts", "192.0.2.1 a.test"));
    let waits = scene.ask("a.test").is_none();
    let other = sources(&folder.write("other", "192.0.2.2 a.test"));
    let limits = ResolverLimits::default();
    scene.program.resolver.reconfigure(&mut scene.reactor, other, limits);
    if !waits {
        // The thread had read the first file before the loop asked for its result.
        return assert_eq!(scene.wait_for("a.test"), "192.0.2.2");
    }
    while scene.program.found.is_none() {
        scene.reactor.turn(&mut scene.program, Some(LONG)).unwrap();
    }
    assert_eq!(scene.program.found.as_deref(), Some("192.0.2.2"));
}

#[test]
fn hosts_path_that_is_no_file_blocks_no_lookup() {
    let mut scene = Scene::new(Path::new("/dev/zero"));
    assert_eq!(scene.wait_for("localhost"), "::1 127.0.0.1");
    let refused = "127.0.0.1:1 cannot be queried: connection refused (1 server, 1 attempt)";
    assert_eq!(scene.wait_for("a.test"), refused);
}

#[test]
fn abandoned_lookup_is_not_woken_when_the_files_are_read() {
    let folder = Folder::new("names-left");
    let mut scene = Scene::new(&folder.write("hosts", "192.0.2.1 a.test"));
    assert_eq!(scene.ask("a.test"), None);
    let waiter = scene.program.waiter;
    scene.program.resolver.leave("a.test", waiter);
    let [_, other] = tokens();
    scene.program.waiter = other;
    assert_eq!(scene.wait_for("a.test"), "192.0.2.1");
    assert_eq!(scene.program.woken, [other]);
}
