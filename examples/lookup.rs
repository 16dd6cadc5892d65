//! Resolves names without blocking, as a program on the reactor does.
//!
//! `cargo run --example lookup -- localhost example.com`. The option `--server 127.0.0.1:5353`
//! replaces the servers of /etc/resolv.conf.
//!
//! `cargo run --example lookup -- localhost example.com`; with `--server 127.0.0.1:5353` that server
//! is asked instead of those of /etc/resolv.conf.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::process::ExitCode;
use std::task::Poll;

use tidegate::dns::{Addresses, NameError};
use tidegate::reactor::{
    App, Arena, Driven, Event, Id, NameSources, Reactor, Resolver, ResolverLimits, Wake,
};

/// The whole program, which each turn of the reactor borrows.
struct Program {
    resolver: Resolver,
    questions: Arena<Question>,
    failed: bool,
}

/// The kind of the resolver's tokens.
struct Asking;

/// A name whose addresses are wanted.
struct Question {
    name: String,
}

impl Driven for Asking {
    const KIND: u8 = 0;
}
impl Driven for Question {
    const KIND: u8 = 1;
}

impl App for Program {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(id) = token.id::<Question>() {
            self.look_up(reactor, id);
        } else {
            self.resolver.drive(reactor, token);
        }
        if self.questions.is_empty() {
            reactor.stop();
        }
    }
}

impl Program {
    fn look_up(&mut self, reactor: &mut Reactor<()>, id: Id<Question>) {
        let Some(Question { name }) = self.questions.get(id) else { return };
        let answer = match self.resolver.look_up(reactor, name, id.token(), None) {
            Poll::Pending => return, // driven again when there is an answer
            Poll::Ready(Ok(addresses)) if !addresses.complete => return, // and for the rest
            Poll::Ready(answer) => answer,
        };
        let ttl = self.resolver.lifetime(name, reactor.now().mono);
        let ttl = ttl.map_or("hosts".into(), |ttl| format!("{} s", ttl.as_secs()));
        println!("{name}  {}  ({ttl})", shown(&answer));
        self.failed |= answer.is_err();
        self.questions.remove(id);
    }
}

fn shown(answer: &Result<Addresses, NameError>) -> String {
    match answer {
        Ok(found) => found.list.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

/// Returns a random secret, without which an attacker cannot forge answers.
fn secret() -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut secret)?;
    Ok(secret)
}

fn main() -> io::Result<ExitCode> {
    let mut sources = NameSources::default();
    let mut questions = Arena::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--server" {
            let server = arguments.next().unwrap_or_default();
            sources.servers.push(server.parse().map_err(io::Error::other)?);
        } else {
            questions.insert(Question { name: argument });
        }
    }
    let resolver = Resolver::new::<Asking>(sources, ResolverLimits::default(), secret()?);
    let mut reactor = Reactor::new()?;
    let mut program = Program { resolver, questions, failed: false };
    program.questions.iter().for_each(|(id, _)| reactor.wake(id.token()));
    if !program.questions.is_empty() {
        reactor.run(&mut program)?;
    }
    Ok(if program.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
