//! Handshakes of many clients at once.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidegate::reactor::sim::{Faults, Metered, Network};
use tidegate::reactor::{App, Arena, Driven, Event, Id, Reactor, SocketId};
use tidegate::tls::{ServerLayer, ServerTls};

use crate::pair::Quiet;
use crate::pki;

const SERVER: &str = "192.0.2.1:443";
const PLAIN: &str = "192.0.2.1:80";
const CLIENTS: usize = 100;
/// Most steps of handshakes in a turn.
const MOST: usize = 16;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A server that shakes hands, and sends bytes back on plain connections.
struct Server {
    tls: Arc<ServerTls>,
    gates: Arena<Gate>,
    connections: Arena<Connection>,
}

struct Gate {
    io: Option<SocketId>,
    is_plain: bool,
}

impl Driven for Gate {
    const KIND: u8 = 1;
}

struct Connection {
    io: SocketId,
    is_plain: bool,
    is_complete: bool,
}

impl Driven for Connection {
    const KIND: u8 = 2;
}

impl App for Server {
    type Mail = ();

    fn handle(&mut self, reactor: &mut Reactor<()>, event: Event<()>) {
        let Event::Drive(token, _) = event else { return };
        if let Some(gate) = token.id().and_then(|id| self.gates.get(id)) {
            while let Poll::Ready(accepted) = reactor.accept(gate.io.unwrap()) {
                let ((io, _), is_plain) = (accepted.unwrap(), gate.is_plain);
                if !is_plain {
                    reactor.secure(io, Box::new(ServerLayer::new(Arc::clone(&self.tls))));
                }
                let connection = Connection { io, is_plain, is_complete: false };
                reactor.set_owner(io, self.connections.insert(connection).token());
            }
        } else if let Some(connection) = token.id().and_then(|id| self.connections.get_mut(id)) {
            if connection.is_plain {
                let mut bytes = Vec::with_capacity(100);
                if let Poll::Ready(Ok(_)) = reactor.recv(connection.io, &mut bytes) {
                    assert!(reactor.send(connection.io, &[IoSlice::new(&bytes)]).is_ready());
                }
            } else if let Poll::Ready(result) = reactor.handshake(connection.io) {
                result.unwrap();
                connection.is_complete = true;
            }
        }
    }
}

impl Server {
    fn listen(&mut self, reactor: &mut Reactor<()>, address: &str, is_plain: bool) {
        let id: Id<Gate> = self.gates.insert(Gate { io: None, is_plain });
        let io = reactor.listen(address.parse::<SocketAddr>().unwrap(), id.token()).unwrap();
        self.gates.get_mut(id).unwrap().io = Some(io);
    }

    /// Returns the numbers of clients that have begun, and of those that have completed.
    fn progress(&self, reactor: &Reactor<()>) -> (usize, usize) {
        let all = || self.connections.iter().map(|(_, connection)| connection);
        let has_begun = |connection: &&Connection| {
            let layer = reactor.layer::<ServerLayer>(connection.io);
            layer.is_some_and(|layer| layer.server_name().is_some())
        };
        (all().filter(has_begun).count(), all().filter(|one| one.is_complete).count())
    }
}

#[test]
fn a_turn_takes_sixteen_steps_and_serves_others_meanwhile() {
    let network = Network::new(0);
    let mut here: Reactor<()> = network.reactor("192.0.2.1".parse().unwrap(), Faults::NONE);
    let mut there: Reactor<()> = network.reactor("192.0.2.2".parse().unwrap(), Faults::NONE);
    let tls = pki::server_tls(&network.clock());
    let mut server = Server { tls, gates: Arena::new(), connections: Arena::new() };
    server.listen(&mut here, SERVER, false);
    server.listen(&mut here, PLAIN, true);

    let token = Arena::new().insert(Gate { io: None, is_plain: true }).token();
    let connect = |there: &mut Reactor<()>, address: &str| {
        there.connect(address.parse().unwrap(), token).unwrap()
    };
    let plain = connect(&mut there, PLAIN);
    let clients: Vec<_> = (0..CLIENTS).map(|_| connect(&mut there, SERVER)).collect();
    let turn = |here: &mut Reactor<()>, server: &mut Server| {
        let mut metered = Metered::new(server);
        here.turn(&mut metered, NOW).unwrap();
        metered.end();
    };
    for _ in 0..3 {
        there.turn(&mut Quiet, NOW).unwrap();
        turn(&mut here, &mut server);
    }
    let client_tls = pki::origin_tls(&network.clock());
    for &io in &clients {
        assert!(there.connected(io).is_ready());
        there.secure(io, Box::new(client_tls.layer("o.test").unwrap()));
        assert!(there.handshake(io).is_pending());
    }
    let mut turns = 0;
    while server.progress(&here).1 < CLIENTS {
        assert!(there.send(plain, &[IoSlice::new(b"x")]).is_ready());
        let before = server.progress(&here);
        turn(&mut here, &mut server);
        let after = server.progress(&here);
        let steps = after.0 - before.0 + after.1 - before.1;
        assert!(steps <= MOST, "{steps} steps in a turn");
        there.turn(&mut Quiet, NOW).unwrap();
        let mut answer = Vec::with_capacity(100);
        assert!(matches!(there.recv(plain, &mut answer), Poll::Ready(Ok(1))), "turn {turns}");
        turns += 1;
        assert!(turns < 100, "the handshakes do not end");
        // The clients have begun together; they end together, too.
        if server.progress(&here).0 == CLIENTS {
            clients.iter().for_each(|&io| _ = there.handshake(io));
        }
    }
    assert!(turns >= 2 * CLIENTS / MOST, "{turns} turns");
}
