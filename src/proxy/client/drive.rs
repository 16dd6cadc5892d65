//! The loop that drives a client through its phases, and each exchange through its states.

use std::time::Instant;

use crate::proxy::error::{ExchangeError, Timeout};
use crate::proxy::mail::Mail;
use crate::proxy::observe::reason::Reason;
use crate::proxy::origin::dial::Dial;
use crate::proxy::shared::Shared;
use crate::proxy::timers::ClientTimer;
use crate::reactor::{Reactor, Wake};

use super::Client;
use super::admit::{admit, count};
use super::auth::{auth, auth_timed_out};
use super::close::close;
use super::connect::connect;
use super::connection::Connection;
use super::context::ClientCx;
use super::deliver::deliver;
use super::exchange::Exchange;
use super::file::open;
use super::finish::finish;
use super::greet::{greet, greet_timed_out};
use super::introduce::introduce;
use super::lookup::lookup;
use super::phase::{Flow, Phase};
use super::receive::{receive, record_unanswered, request_timed_out};
use super::redirect::redirect;
use super::resolve::resolve;
use super::respond;
use super::route::route;
use super::state::{Next, State};
use super::transmit::transmit;
use super::wait::{join_timed_out, wait};

/// Result of driving a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The client waits to be driven again.
    Park,
    /// The connection is over.
    Gone,
    /// A tunnel has taken the connection.
    HandedOver,
}

impl Client {
    /// Drives the client until it has to wait, like `Future::poll`. A timer counts only once all bytes
    /// that arrived in time are dealt with, so that a late loop blames no client.
    pub(crate) fn drive(&mut self, cx: &mut ClientCx<'_>) -> Drive {
        loop {
            let mut flow = match &mut self.phase {
                Phase::Introduce(phase) => introduce(*phase, &mut self.connection, cx),
                Phase::Greet(phase) => greet(phase, &mut self.connection, cx),
                Phase::Receive(phase) => receive(phase, &mut self.connection, cx),
                Phase::Exchange(exchange) => exchange.step(&mut self.connection, cx),
                Phase::Close(phase) => close(phase, &mut self.connection, cx),
            };
            if matches!(flow, Flow::Park) {
                match self.connection.timers.take_expired(cx.now()) {
                    Some(timer) => flow = self.timed_out(timer, cx),
                    None => break,
                }
            }
            match flow {
                Flow::Go | Flow::Park => {}
                Flow::Enter(phase) => self.phase = phase,
                Flow::Gone => return Drive::Gone,
                Flow::HandedOver => return Drive::HandedOver,
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        let token = self.connection.token;
        if cx.budget.is_spent() {
            cx.reactor.wake(token);
        }
        cx.reactor.set_deadline(token, self.next_deadline());
        Drive::Park
    }

    /// Returns the time at which the client has to be driven at the latest.
    fn next_deadline(&self) -> Option<Instant> {
        let dial = self.exchange().and_then(|exchange| exchange.state.dial());
        let timers = self.connection.timers.next();
        timers.into_iter().chain(dial.map(Dial::next_deadline)).min()
    }

    /// Ends the wait that `timer` has limited.
    fn timed_out(&mut self, timer: ClientTimer, cx: &mut ClientCx<'_>) -> Flow {
        let connection = &mut self.connection;
        match (&mut self.phase, timer) {
            (Phase::Exchange(exchange), ClientTimer::Send) => {
                exchange.record.reason = Some(Timeout::Send.into());
                Flow::Gone
            }
            (Phase::Exchange(exchange), timer) => exchange.timed_out(timer, connection, cx),
            (Phase::Receive(phase), ClientTimer::Request) => {
                request_timed_out(phase, connection, cx)
            }
            (Phase::Introduce(_), _) => {
                record_unanswered(Timeout::Header.into(), connection, cx);
                Flow::Gone
            }
            (Phase::Greet(_), _) => greet_timed_out(connection, cx),
            (Phase::Receive(_) | Phase::Close(_), _) => Flow::Gone,
        }
    }

    /// Ends a connection that the client has left.
    pub(crate) fn end(self, cx: &mut ClientCx<'_>) {
        self.end_for(ExchangeError::ClientGone.into(), cx);
    }

    /// Aborts the connection for a `reason`.
    pub(crate) fn abort(mut self, reason: Reason, cx: &mut ClientCx<'_>) {
        if let Phase::Exchange(exchange) = &mut self.phase {
            exchange.record.reason = Some(reason.clone());
        }
        self.end_for(reason, cx);
    }

    /// Releases everything, and records an unfinished exchange or an incomplete head with the `reason`,
    /// unless the exchange has a reason already.
    fn end_for(self, reason: Reason, cx: &mut ClientCx<'_>) {
        let Self { mut connection, phase, held } = self;
        let mut reset = false;
        match phase {
            Phase::Exchange(mut exchange) => {
                exchange.release(&ExchangeError::ClientGone, &mut connection, cx);
                exchange.record.reason.get_or_insert(reason);
                let sent = connection.output.left().saturating_sub(exchange.sent_before);
                exchange.record.sent_in_all = sent;
                exchange.record.received_in_all = connection.take_received();
                exchange.record(cx);
                reset = exchange.persistence.delimits_content();
            }
            Phase::Receive(phase) if phase.head_began.is_some() => {
                record_unanswered(reason, &connection, cx);
            }
            Phase::Introduce(_) | Phase::Greet(_) | Phase::Receive(_) | Phase::Close(_) => {}
        }
        connection.input.release(&mut cx.shared.buffers);
        connection.close(held, reset, cx.reactor, cx.shared);
    }

    /// Closes an idle connection.
    pub(crate) fn close_idle(self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.connection.close(self.held, false, reactor, shared);
    }

    /// Releases a client whose connection a tunnel has taken.
    pub(crate) fn hand_over(mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.connection.release_bound_origins(reactor, shared);
        shared.memory.count(&mut self.held, 0);
    }
}

impl Exchange {
    /// Takes one step, from the present state to the next.
    fn step(&mut self, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
        let state = std::mem::replace(&mut self.state, State::Finish);
        let next = match state {
            State::Challenge(answer) => self.respond(connection, cx, |out, _, context| {
                respond::challenge(out, &answer, context)
            }),
            State::Redirect => redirect(self, connection, cx),
            State::Admit(state) => admit(state, self, connection, cx),
            State::Auth(state) => auth(state, self, connection, cx),
            State::Route => route(self, connection, cx),
            State::Resolve(state) => resolve(state, self, connection, cx),
            State::Connect(state) => connect(state, self, connection, cx),
            State::Lookup(state) => lookup(state, self, connection, cx),
            State::Open(state) => open(state, self, connection, cx),
            State::Wait(state) => wait(state, self, connection, cx),
            State::Deliver(state) => deliver(state, self, connection, cx),
            State::Transmit(state) => transmit(state, self, connection, cx),
            State::Finish => return finish(self, connection, cx),
        };
        self.apply(next, connection, cx)
    }

    /// Takes back the state that a step has returned.
    fn apply(&mut self, next: Next, connection: &mut Connection, cx: &mut ClientCx<'_>) -> Flow {
        let (state, flow) = match next {
            Next::Go(state) => (state, Flow::Go),
            Next::Park(state) => (state, Flow::Park),
            Next::Gone(state) => (state, Flow::Gone),
            Next::HandedOver => return Flow::HandedOver,
            Next::Fail(state, error) => {
                self.state = state;
                self.fail(&error, connection, cx);
                return Flow::Go;
            }
        };
        self.state = state;
        flow
    }

    /// Ends the wait that `timer` has limited. An upload that stalls before the response has begun is
    /// reported to the client; later, only the readers of the upload see the failure.
    fn timed_out(
        &mut self,
        timer: ClientTimer,
        connection: &mut Connection,
        cx: &mut ClientCx<'_>,
    ) -> Flow {
        let state = std::mem::replace(&mut self.state, State::Finish);
        let next = match (state, timer) {
            (State::Auth(state), ClientTimer::Auth) => auth_timed_out(state, self, connection, cx),
            (State::Admit(_), ClientTimer::Throttle) => count(self, connection, cx),
            (State::Wait(state), ClientTimer::Join) => join_timed_out(state, cx),
            (State::Wait(state), ClientTimer::Upload) => {
                Next::fail(State::Wait(state), ExchangeError::UploadTimeout)
            }
            (state, ClientTimer::Upload) => {
                self.upload.end(&ExchangeError::UploadTimeout, connection, cx);
                Next::Go(state)
            }
            (state, _) => Next::Go(state),
        };
        self.apply(next, connection, cx)
    }
}
