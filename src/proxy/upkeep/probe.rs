//! Probes: one check of a member's health each.

use std::io::IoSlice;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use crate::http::{ClientCodec, ClientEvent, HeadWriter, Method, ResponseHead};
use crate::proxy::error::{ExchangeError, connect_failure};
use crate::proxy::mail::Mail;
use crate::proxy::origin::dial::Dial;
use crate::proxy::origin::groups::{DueCheck, Place};
use crate::proxy::settings::Settings;
use crate::proxy::settings::group::{Check, HttpCheck, OriginGroup};
use crate::proxy::shared::Shared;
use crate::reactor::{Driven, Reactor, SocketId, Token};

/// Most bytes of a response that are received for its head.
const MOST_RECEIVED: usize = 64 * 1024;

/// A check of a member under way.
#[derive(Debug)]
pub(crate) struct Probe {
    token: Token,
    place: Place,
    group: Arc<OriginGroup>,
    until: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Connect(Box<Dial>),
    Send { io: SocketId, request: Vec<u8>, sent: usize },
    Receive { io: SocketId, received: Vec<u8>, interims: usize, codec: ClientCodec },
    Done,
}

impl Driven for Probe {
    const KIND: u8 = 12;
}

impl Probe {
    /// Returns a check that has not begun.
    pub(super) fn new(token: Token, due: DueCheck, settings: &Settings, now: Instant) -> Self {
        let DueCheck { place, group } = due;
        let timeout = group.balance.health.as_ref().map(|health| health.timeout);
        let dial = Dial::new(token, Arc::clone(&place.origin), None, settings, now);
        Self {
            token,
            place,
            until: now + timeout.unwrap_or(settings.limits.connect_timeout),
            group,
            state: State::Connect(Box::new(dial)),
        }
    }

    /// Continues as far as possible. Returns true once the check is over and its result recorded.
    pub(crate) fn drive(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        let now = reactor.now().mono;
        let result = match self.check(reactor, shared) {
            Poll::Ready(result) => result,
            Poll::Pending if now >= self.until => Err("no answer in time".into()),
            Poll::Pending => {
                reactor.set_deadline(self.token, Some(self.next_deadline()));
                return false;
            }
        };
        self.close(reactor, shared);
        shared.origins.groups.checked(&self.place, result, now, reactor);
        true
    }

    /// Closes what the check has opened.
    pub(crate) fn close(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Connect(mut dial) => dial.cancel(reactor, &mut shared.origins),
            State::Send { io, .. } | State::Receive { io, .. } => reactor.close(io),
            State::Done => {}
        }
    }

    fn next_deadline(&self) -> Instant {
        match &self.state {
            State::Connect(dial) => dial.next_deadline().min(self.until),
            _ => self.until,
        }
    }

    fn check(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<(), Arc<str>>> {
        loop {
            match &mut self.state {
                State::Connect(dial) => {
                    let Shared { origins, settings, counters, .. } = &mut *shared;
                    let handshakes = &mut counters.origin_handshakes;
                    let connected = ready!(dial.drive(reactor, origins, settings, handshakes));
                    let connection = connected.map_err(|error| reason(&error))?;
                    let Check::Http(check) = &self.group.check else {
                        reactor.close(connection.io);
                        self.state = State::Done;
                        return Poll::Ready(Ok(()));
                    };
                    let request = request_of(check, &self.place, &shared.settings);
                    self.state = State::Send { io: connection.io, request, sent: 0 };
                }
                State::Send { io, request, sent } => {
                    let io = *io;
                    while *sent < request.len() {
                        let rest = [IoSlice::new(&request[*sent..])];
                        *sent += ready!(reactor.send(io, &rest)).map_err(|error| lost(&error))?;
                    }
                    let codec = ClientCodec::new(Method::Get);
                    self.state = State::Receive { io, received: Vec::new(), interims: 0, codec };
                }
                State::Receive { io, received, interims, codec } => {
                    match codec.decode(received, &shared.heads) {
                        Ok((_, Some(ClientEvent::Response(head)))) => {
                            return Poll::Ready(judge(&head, &self.group.check));
                        }
                        Ok((used, Some(_))) => {
                            received.drain(..used);
                            *interims += 1;
                            if *interims > shared.settings.limits.interims {
                                return Poll::Ready(Err("too many interim responses".into()));
                            }
                            continue;
                        }
                        Ok((used, None)) => _ = received.drain(..used),
                        Err(error) => {
                            return Poll::Ready(Err(
                                format!("bad response: {}", error.name()).into()
                            ));
                        }
                    }
                    if received.len() > MOST_RECEIVED {
                        return Poll::Ready(Err("the response head is too large".into()));
                    }
                    received.reserve(4096);
                    match ready!(reactor.recv(*io, received)) {
                        Ok(0) => {
                            return Poll::Ready(Err(
                                "closed the connection before a response".into()
                            ));
                        }
                        Ok(_) => {}
                        Err(error) => return Poll::Ready(Err(lost(&error))),
                    }
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Returns the request of a check.
fn request_of(check: &HttpCheck, place: &Place, settings: &Settings) -> Vec<u8> {
    let mut out = Vec::new();
    let mut head = HeadWriter::request(&mut out, "GET", &check.target);
    head.field("Host", check.host.as_deref().unwrap_or(&place.origin.authority).as_bytes());
    head.field("User-Agent", format!("{} (health check)", settings.name).as_bytes());
    head.field("Connection", b"close");
    head.end();
    out
}

/// Returns the verdict on the head of a response.
fn judge(head: &ResponseHead, check: &Check) -> Result<(), Arc<str>> {
    let Check::Http(check) = check else { return Ok(()) };
    let (status, (least, most)) = (head.status().code(), check.statuses);
    match (least..=most).contains(&status) {
        true => Ok(()),
        false if head.status().is_redirection() => {
            Err(format!("status {status}, a redirection, which a check does not follow").into())
        }
        false => Err(format!("status {status}").into()),
    }
}

fn reason(error: &ExchangeError) -> Arc<str> {
    match error {
        ExchangeError::Connect { kind, .. } => connect_failure(*kind).into(),
        ExchangeError::Tls(problem) => problem.text.clone().into(),
        error => error.reason().into(),
    }
}

fn lost(error: &std::io::Error) -> Arc<str> {
    format!("lost the connection: {}", error.kind()).into()
}
