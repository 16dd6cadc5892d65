//! A reverse proxy with a hook on each request: the smallest program that embeds the proxy.
//!
//! `cargo run --example hook -- 127.0.0.1:8080 http://127.0.0.1:8000` listens on the first address and
//! serves the origin behind the URL, such as `cargo run --example origin`. Its hook
//!
//! * gives each request that reaches the origin an `X-Request-Id`;
//! * responds to `/healthz` itself;
//! * refuses `/admin` and all paths below, unless the client is on this machine. A proxy on this machine,
//!   such as a TLS terminator, reports its clients in `X-Forwarded-For`;
//! * counts outcomes, which are printed at the end. SIGINT or SIGTERM drains the proxy; a second signal
//!   stops it.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::auth::{PathMatch, PathPrefix, match_path};
use tidegate::http::Status;
use tidegate::proxy::{
    Action, Command, Environment, Finished, Hook, HookError, Mail, NoLog, Outcome, ReadAtOnce,
    ReclaimAtOnce, Refusal, RequestEdit, Response, Service, Settings, Sites, ThreadedVerifier,
    Worker,
};
use tidegate::reactor::{App, Event, Reactor};

const MAX_CLIENTS: usize = 1000;

/// Finished exchanges by outcome, in the order of [`Outcome::ALL`].
type Counts = [Cell<u64>; Outcome::ALL.len()];

/// The hook.
#[derive(Debug)]
struct Gatekeeper {
    /// Process id, the first part of request ids.
    process: u32,
    requests: u64,
    admin: PathPrefix,
    counts: Rc<Counts>,
}

impl Hook for Gatekeeper {
    fn on_request(&mut self, request: &mut RequestEdit<'_>) -> Action {
        // An edit can fail because of the client: if Connection names X-Request-Id, for example.
        self.decide(request).unwrap_or_else(|error| Action::Refuse(Refusal::new(error.to_string())))
    }

    fn on_finish(&mut self, finished: &Finished<'_>) {
        let count = &self.counts[finished.outcome() as usize];
        count.set(count.get() + 1);
    }
}

impl Gatekeeper {
    fn decide(&mut self, request: &mut RequestEdit<'_>) -> Result<Action, HookError> {
        let path = request.head().path_and_query().split('?').next().unwrap_or_default();
        if path == "/healthz" {
            let response = Response::new(Status::OK)?.with_field("Content-Type", "text/plain")?;
            return Ok(Action::Respond(response.with_content("ok\n")?));
        }
        // Origins read paths in different ways: `/%61dmin` may be `/admin`, too.
        let is_admin = match_path(path, std::slice::from_ref(&self.admin)) != PathMatch::Nowhere;
        if is_admin && !request.client().is_loopback() {
            let reason = format!("{} may not use {}.", request.client(), self.admin);
            return Ok(Action::Refuse(Refusal::new(reason)));
        }
        self.requests += 1;
        request.set("X-Request-Id", format!("{}-{}", self.process, self.requests))?;
        Ok(Action::Continue)
    }
}

/// The whole program: the proxy, and signals that end it.
struct Program {
    worker: Worker,
}

impl App for Program {
    type Mail = Mail;

    fn handle(&mut self, reactor: &mut Reactor<Mail>, event: Event<Mail>) {
        match event {
            Event::Signal(_) if self.worker.is_draining() => {
                self.worker.command(Command::Stop, reactor);
            }
            Event::Signal(_) => self.worker.command(Command::Drain, reactor),
            event => self.worker.handle(reactor, event),
        }
    }
}

/// Returns numbers that no client can know.
fn random() -> io::Result<[u64; 2]> {
    let mut bytes = [[0; 8]; 2];
    File::open("/dev/urandom")?.read_exact(bytes.as_flattened_mut())?;
    Ok(bytes.map(u64::from_ne_bytes))
}

fn settings(origin: &str) -> Result<Settings, String> {
    let mut settings = Settings::forward("hook-example");
    settings.service = Service::reverse(Sites::of_origin(origin.parse()?));
    settings.trusted_proxies = vec!["127.0.0.0/8".parse()?, "::1/128".parse()?];
    Ok(settings)
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let origin = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8000".into());

    let mut reactor = Reactor::new()?;
    reactor.watch_signals(&[libc::SIGINT, libc::SIGTERM])?; // before any thread starts
    let environment = Environment {
        resolver: None,
        verifier: Box::new(ThreadedVerifier::new(1, reactor.mailbox())),
        files: Box::new(ReadAtOnce),
        reclaimer: Box::new(ReclaimAtOnce),
        addresses: Some(Vec::new()), // the origin is the only destination
        log: Box::new(NoLog),
        secret: random()?,
    };
    let settings = settings(&origin).map_err(io::Error::other)?;
    let mut worker = Worker::new(settings, environment, MAX_CLIENTS);
    let counts = Rc::new(Counts::default());
    worker.set_hook(Box::new(Gatekeeper {
        process: std::process::id(),
        requests: 0,
        admin: "/admin/".parse().map_err(io::Error::other)?,
        counts: Rc::clone(&counts),
    }));
    println!("listening {}", worker.listen(&mut reactor, address)?);

    let mut program = Program { worker };
    while !program.worker.is_finished() {
        reactor.turn(&mut program, None)?;
    }
    program.worker.abort(&mut reactor);
    for (outcome, count) in Outcome::ALL.iter().zip(&*counts) {
        println!("{:11} {}", outcome.name(), count.get());
    }
    Ok(())
}
