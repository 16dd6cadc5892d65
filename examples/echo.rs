//! An echo server (RFC 862) on the reactor: sends received bytes back, in bounded memory.
//!
//! `cargo run --example echo -- 127.0.0.1:7007`, then `nc 127.0.0.1 7007`.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::{
    Accepted, App, Arena, Budget, Driven, Event, Id, Listener, Reactor, SocketId, Token, Wake,
    WakeReason,
};

const IDLE: Duration = Duration::from_secs(60);
const MAX_CLIENTS: usize = 1000;

/// The whole program, which each turn of the reactor borrows.
struct Echo {
    gates: Arena<Gate>,
    clients: Arena<Client>,
}

struct Gate(Listener);

struct Client {
    io: SocketId,
    buffer: Vec<u8>,
    sent: usize,
}

impl Driven for Gate {
    const KIND: u8 = 0;
}
impl Driven for Client {
    const KIND: u8 = 1;
}

impl App for Echo {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, why) = event else { return };
        if let Some(id) = token.id::<Gate>() {
            self.accept(reactor, id);
        } else if let Some(id) = token.id::<Client>()
            && let Some(client) = self.clients.get_mut(id)
        {
            let idle = why == WakeReason::TIMER;
            if idle || client.drive(reactor, token).is_err() {
                reactor.close(client.io);
                self.clients.remove(id);
                self.gates.iter_mut().for_each(|(_, gate)| gate.0.resume(reactor));
            }
        }
    }
}

impl Echo {
    fn accept(&mut self, reactor: &mut Reactor<()>, id: Id<Gate>) {
        let Some(Gate(listener)) = self.gates.get_mut(id) else { return };
        let mut connections = Vec::new();
        let room = MAX_CLIENTS - self.clients.len();
        let accepted = listener.accept(reactor, room, &mut connections);
        if let Accepted::Exhausted(error) | Accepted::Failed(error) = accepted {
            eprintln!("cannot accept a connection: {error}; trying again");
        }
        reactor.set_deadline(id.token(), listener.next_deadline());
        for (io, _) in connections {
            let client = self.clients.insert(Client { io, buffer: Vec::new(), sent: 0 });
            reactor.set_owner(io, client.token());
        }
    }
}

impl Client {
    /// Receives while everything is sent, and sends otherwise. An error ends the connection.
    fn drive(&mut self, reactor: &mut Reactor<()>, token: Token) -> io::Result<()> {
        let mut budget = Budget::default();
        reactor.set_deadline(token, Some(reactor.now().mono + IDLE));
        while !budget.is_spent() {
            if self.sent < self.buffer.len() {
                let unsent = IoSlice::new(&self.buffer[self.sent..]);
                let Poll::Ready(sent) = reactor.send(self.io, &[unsent]) else { return Ok(()) };
                let sent = sent?;
                self.sent += sent;
                budget.spend_out(sent);
            } else {
                self.sent = 0;
                self.buffer.clear();
                self.buffer.reserve(16 * 1024);
                match reactor.recv(self.io, &mut self.buffer) {
                    Poll::Pending => {
                        self.buffer = Vec::new(); // an idle client holds no buffer
                        return Ok(());
                    }
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Poll::Ready(received) => budget.spend_in(received?),
                }
            }
        }
        reactor.wake(token);
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7007".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let mut reactor = Reactor::new()?;
    let mut echo = Echo { gates: Arena::new(), clients: Arena::new() };
    let gate = echo
        .gates
        .try_insert_with(|id| Listener::bind(&mut reactor, address, id.token()).map(Gate))?;
    println!("listening {}", echo.gates.get(gate).expect("just inserted").0.address());
    reactor.run(&mut echo)
}
