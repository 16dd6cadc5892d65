//! Those who operate the proxy, on listeners of their own: each connection asks for one thing, is
//! answered, and closed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::cache::{Purge, What};
use crate::http::{FromClient, HeadWriter, Method, RequestHead, ServerCodec, Status};
use crate::reactor::{Accepted, Active, Arena, Id, Io, Listener, Reactor, Wake};

use super::buffers::Input;
use super::control::{ControlRequest, MAX_LINE};
use super::core::Core;
use super::outgoing::{Outgoing, Supply};
use super::stats::{Gauges, Stats};
use super::surroundings::Mail;

/// Operators at a time, on each listener.
const MAX_VISITORS: usize = 16;
/// For all of a request and its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listeners for operators, and who has come.
#[derive(Debug)]
pub(super) struct Operators {
    desks: Arena<Desk>,
    visitors: Arena<Visitor>,
}

/// A listener for operators.
#[derive(Debug)]
pub(super) struct Desk {
    listener: Listener,
    tongue: Tongue,
    visitors: usize,
}

impl Active for Desk {
    const KIND: u8 = 6;
}

/// What is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    /// Lines, by the owner of the process.
    Control,
    /// HTTP, by what gathers figures.
    Metrics,
}

/// A connection of an operator.
#[derive(Debug)]
pub(super) struct Visitor {
    id: Id<Self>,
    desk: Id<Desk>,
    io: Io,
    tongue: Tongue,
    until: Instant,
    input: Input,
    output: Outgoing,
    state: State,
}

impl Active for Visitor {
    const KIND: u8 = 7;
}

#[derive(Debug)]
enum State {
    /// What it asks for comes in.
    Asking(ServerCodec),
    /// A purge goes on.
    Purging(Purge),
    /// The answer goes out.
    Answering,
    /// It was answered; what it has sent beside is dropped until it closes.
    Leaving,
}

impl Operators {
    pub(super) fn new() -> Self {
        Self { desks: Arena::new(), visitors: Arena::new() }
    }

    /// Takes commands at `path`.
    pub(super) fn listen_local(
        &mut self,
        reactor: &mut Reactor<Mail>,
        path: &Path,
    ) -> io::Result<()> {
        self.open(Tongue::Control, |id| Listener::bind_local(reactor, path, id.token()))?;
        Ok(())
    }

    /// Serves figures on `address`; says which one that is, if the port was 0.
    pub(super) fn listen(
        &mut self,
        reactor: &mut Reactor<Mail>,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let id = self.open(Tongue::Metrics, |id| Listener::bind(reactor, address, id.token()))?;
        Ok(self.desks.get(id).map_or(address, |desk| desk.listener.address()))
    }

    fn open(
        &mut self,
        tongue: Tongue,
        bind: impl FnOnce(Id<Desk>) -> io::Result<Listener>,
    ) -> io::Result<Id<Desk>> {
        self.desks
            .try_insert_with(|id| bind(id).map(|listener| Desk { listener, tongue, visitors: 0 }))
    }

    /// Closes everything.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Mail>) {
        let desks: Vec<_> = self.desks.iter().map(|(id, _)| id).collect();
        for desk in desks.into_iter().filter_map(|id| self.desks.remove(id)) {
            desk.listener.close(reactor);
        }
        let visitors: Vec<_> = self.visitors.iter().map(|(id, _)| id).collect();
        for visitor in visitors.into_iter().filter_map(|id| self.visitors.remove(id)) {
            reactor.close(visitor.io);
        }
    }

    /// Lets in who waits.
    pub(super) fn accept(&mut self, id: Id<Desk>, reactor: &mut Reactor<Mail>) {
        let Some(desk) = self.desks.get_mut(id) else { return };
        let mut accepted = Vec::new();
        let room = MAX_VISITORS - desk.visitors;
        let _: Accepted = desk.listener.accept(reactor, room, &mut accepted); // it goes on by itself
        reactor.set_deadline(id.token(), desk.listener.next_deadline());
        desk.visitors += accepted.len();
        let (tongue, until) = (desk.tongue, reactor.now().mono + PATIENCE);
        for (io, _) in accepted {
            let visitor = self.visitors.insert_with(|visitor| Visitor {
                id: visitor,
                desk: id,
                io,
                tongue,
                until,
                input: Input::new(),
                output: Outgoing::new(),
                state: State::Asking(ServerCodec::new()),
            });
            reactor.set_owner(io, visitor.token());
            reactor.set_deadline(visitor.token(), Some(until));
        }
    }

    /// Goes on with one, who may be told the figures.
    pub(super) fn drive(
        &mut self,
        id: Id<Visitor>,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
        gauges: &Gauges,
    ) {
        let Some(visitor) = self.visitors.get_mut(id) else { return };
        let in_time = reactor.now().mono < visitor.until;
        if in_time && visitor.drive(reactor, core, gauges) == Next::Park {
            return;
        }
        if let Some(visitor) = self.visitors.remove(id) {
            reactor.close(visitor.io);
            if let Some(desk) = self.desks.get_mut(visitor.desk) {
                desk.visitors -= 1;
                desk.listener.resume(reactor);
            }
        }
    }
}

/// What driving an operator's connection has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Park,
    Gone,
}

impl Visitor {
    /// Goes on as far as it can.
    fn drive(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core, gauges: &Gauges) -> Next {
        loop {
            let next = match self.state {
                State::Asking(_) => self.ask(reactor, core, gauges),
                State::Purging(_) => self.purge(reactor, core),
                State::Answering => self.transmit(reactor),
                State::Leaving => self.leave(reactor, core),
            };
            if next != Next::Go {
                self.input.release(&mut core.buffers);
                return next;
            }
        }
    }

    fn ask(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core, gauges: &Gauges) -> Next {
        match self.input.receive(reactor, self.io, &mut core.buffers) {
            Poll::Pending => return Next::Park,
            Poll::Ready(Ok(n)) if n > 0 => {}
            Poll::Ready(_) => return Next::Gone,
        }
        let figures = |core: &Core| Stats::of(&core.counters, gauges, reactor.load());
        match self.tongue {
            Tongue::Control => self.take_line(core, figures),
            Tongue::Metrics => self.take_request(core, figures),
        }
        Next::Go
    }

    fn take_line(&mut self, core: &mut Core, figures: impl Fn(&Core) -> Stats) {
        let unread = self.input.unread();
        let Some(end) = unread.iter().position(|&byte| byte == b'\n') else {
            if unread.len() > MAX_LINE {
                self.answer("error the line is too long\n");
            }
            return;
        };
        let reverse = core.settings.reverse.is_some();
        let line = std::str::from_utf8(&unread[..end]).unwrap_or_default();
        let asked = line.parse().and_then(|request| match request {
            ControlRequest::Stats { json } => Ok(Asked::Stats { json }),
            ControlRequest::Purge { target, soft } => {
                target.meant(reverse).map(|what| Asked::Purge { what, soft })
            }
        });
        self.input.consume(end + 1);
        match asked {
            Ok(Asked::Stats { json: true }) => {
                self.answer(&format!("ok\n{}", figures(core).json()));
            }
            Ok(Asked::Stats { json: false }) => self.answer(&format!("ok\n{}", figures(core))),
            Ok(Asked::Purge { what, soft }) => {
                self.state = State::Purging(core.cache.purge(&what, soft));
            }
            Err(reason) => self.answer(&format!("error {reason}\n")),
        }
    }

    fn take_request(&mut self, core: &Core, figures: impl Fn(&Core) -> Stats) {
        let State::Asking(codec) = &mut self.state else { return };
        match codec.decode(self.input.unread(), &core.heads) {
            Ok((used, Some(FromClient::Request(head)))) => {
                self.input.consume(used);
                let head_only = head.method() == Method::Head;
                match is_for_figures(&head) {
                    Ok(()) => self.respond(Status::OK, &figures(core).prometheus(), head_only),
                    Err(status) => self.respond(status, "", head_only),
                }
            }
            Ok((used, _)) => self.input.consume(used),
            Err(refusal) => self.respond(refusal.status(), "", false),
        }
    }

    /// Goes on with a purge; the others have their turn between its slices.
    fn purge(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) -> Next {
        let State::Purging(purge) = &mut self.state else { return Next::Go };
        self.until = reactor.now().mono + PATIENCE; // it is not the operator who is waited for
        reactor.set_deadline(self.id.token(), Some(self.until));
        if !core.cache.go_on(purge) {
            reactor.wake(self.id.token());
            return Next::Park;
        }
        let count = purge.count();
        core.counters.purged += count as u64;
        self.answer(&format!("ok\npurged {count}\n"));
        Next::Go
    }

    fn transmit(&mut self, reactor: &mut Reactor<Mail>) -> Next {
        while !self.output.is_empty() {
            match self.output.send(reactor, self.io, Supply::Nothing) {
                Poll::Pending => return Next::Park,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Next::Gone,
            }
        }
        self.state = State::Leaving;
        if reactor.shutdown(self.io).is_err() { Next::Gone } else { Next::Go }
    }

    /// Drops what still comes: closing with unread bytes could lose the answer.
    fn leave(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) -> Next {
        self.input.consume(self.input.unread().len());
        match self.input.receive(reactor, self.io, &mut core.buffers) {
            Poll::Pending => Next::Park,
            Poll::Ready(Ok(n)) if n > 0 => {
                reactor.wake(self.id.token());
                Next::Park
            }
            Poll::Ready(_) => Next::Gone,
        }
    }

    fn answer(&mut self, text: &str) {
        self.output.bytes().extend_from_slice(text.as_bytes());
        self.state = State::Answering;
    }

    fn respond(&mut self, status: Status, content: &str, head_only: bool) {
        let mut head =
            HeadWriter::response(self.output.bytes(), status, status.reason().as_bytes());
        head.field("Content-Type", b"text/plain; version=0.0.4; charset=utf-8");
        head.number("Content-Length", content.len() as u64);
        head.field("Connection", b"close").end();
        self.answer(if head_only { "" } else { content });
    }
}

/// What an operator has asked for, understood.
enum Asked {
    Stats { json: bool },
    Purge { what: What, soft: bool },
}

/// Whether a request is for the figures, and otherwise how it is answered.
fn is_for_figures(head: &RequestHead) -> Result<(), Status> {
    let path = head.path_and_query().split('?').next();
    match head.method() {
        _ if path != Some("/metrics") => Err(Status::NOT_FOUND),
        Method::Get | Method::Head => Ok(()),
        _ => Err(Status::METHOD_NOT_ALLOWED),
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use crate::proxy::{NoLog, Resolver, Settings, Surroundings, Worker};
    use crate::reactor::sim::{Faults, Network};
    use crate::reactor::{App, Event};

    use super::*;

    /// An operator who says something and hears the answer.
    #[derive(Debug, Default)]
    struct Asker {
        io: Option<Io>,
        unsaid: Vec<u8>,
        heard: Vec<u8>,
        ended: bool,
    }

    impl Active for Asker {
        const KIND: u8 = 0;
    }

    impl App for Asker {
        type Mail = ();

        fn handle(&mut self, reactor: &mut Reactor<()>, _: Event<()>) {
            let Some(io) = self.io else { return };
            if reactor.connected(io).is_pending() {
                return;
            }
            while !self.unsaid.is_empty() {
                match reactor.send(io, &[IoSlice::new(&self.unsaid)]) {
                    Poll::Ready(sent) => drop(self.unsaid.drain(..sent.unwrap())),
                    Poll::Pending => break,
                }
            }
            while !self.ended {
                self.heard.reserve(1000);
                match reactor.recv(io, &mut self.heard) {
                    Poll::Ready(n) => self.ended = n.unwrap() == 0,
                    Poll::Pending => break,
                }
            }
        }
    }

    #[derive(Debug)]
    struct Nobody;

    impl Resolver for Nobody {
        fn ask(&mut self, _: &str) {}
    }

    /// What a proxy answers, on a bad day.
    fn answer(seed: u64, metrics: bool, question: &[u8]) -> String {
        let network = Network::new(seed);
        let here = [127, 0, 0, 1].into();
        let mut reactor: Reactor<Mail> = network.reactor(here, Faults::SOME);
        let mut asking: Reactor<()> = network.reactor(here, Faults::SOME);
        let surroundings =
            Surroundings { resolver: Box::new(Nobody), log: Box::new(NoLog), secret: [1, 2] };
        let mut worker = Worker::new(Settings::forward("gate"), surroundings, 10);
        let (path, token) = (Path::new("/control"), Arena::new().insert(Asker::default()).token());
        let address = SocketAddr::new(here, 9100);
        worker.listen_to_operators(&mut reactor, path).unwrap();
        worker.serve_figures(&mut reactor, address).unwrap();
        let io = match metrics {
            true => asking.connect(address, token),
            false => asking.connect_local(path, token),
        };
        let mut asker =
            Asker { io: Some(io.unwrap()), unsaid: question.to_vec(), ..Asker::default() };
        for _ in 0..20_000 {
            reactor.turn(&mut worker, Some(Duration::ZERO)).unwrap();
            asking.turn(&mut asker, Some(Duration::ZERO)).unwrap();
            if asker.ended {
                asking.close(io_of(&asker));
                return String::from_utf8(asker.heard).unwrap();
            }
            network.advance(Duration::from_millis(1));
        }
        panic!("no answer to {question:?}, with seed {seed}");
    }

    fn io_of(asker: &Asker) -> Io {
        asker.io.unwrap()
    }

    #[test]
    fn a_line_is_answered_and_the_connection_closed() {
        for seed in 0..20 {
            let ask = |line: &str| answer(seed, false, line.as_bytes());
            assert_eq!(ask("purge hard all \n"), "ok\npurged 0\n");
            assert_eq!(ask("purge soft tag a b\n"), "ok\npurged 0\n");
            assert!(ask("stats text\n").starts_with("ok\nrequests_total hit"));
            assert!(ask("stats json\nand more").starts_with("ok\n{\"requests_total\":{\"hit\":0"));
            assert_eq!(ask("nonsense\n"), "error this is no command that is known here\n");
            assert!(ask("purge hard url /a\n").starts_with("error '/a' does not begin with http"));
            assert_eq!(ask(&"x".repeat(MAX_LINE + 1)), "error the line is too long\n");
        }
    }

    #[test]
    fn who_says_nothing_is_not_waited_for() {
        assert_eq!(answer(1, false, b"stats"), "");
        assert_eq!(answer(1, true, b"GET /metrics HTTP/1.1\r\n"), "");
    }

    #[test]
    fn figures_are_served_at_their_path_only() {
        for seed in 0..20 {
            let ask = |line: &str| {
                answer(seed, true, format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
            };
            let figures = ask("GET /metrics");
            assert!(
                figures.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
            );
            assert!(figures.contains("\r\n\r\n# HELP tidegate_requests_total "), "{figures}");
            assert!(ask("HEAD /metrics").ends_with("Connection: close\r\n\r\n"));
            assert!(ask("GET /").starts_with("HTTP/1.1 404 "));
            assert!(ask("GET http://h.test/").starts_with("HTTP/1.1 404 "));
            assert!(ask("POST /metrics").starts_with("HTTP/1.1 405 "));
            assert!(ask("nonsense").starts_with("HTTP/1.1 400 "));
        }
    }
}
