//! A connection to a destination: looked up, judged, dialled, all within one deadline.
//!
//! The addresses that are judged are the addresses that are dialled; there is no second look-up
//! between the two.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Instant;

use crate::access::{Denial, Host};
use crate::dns::NameError;
use crate::reactor::{ConnectError, Connector, Reactor, Token, interleave_families, is_exhaustion};

use super::core::Core;
use super::error::ExchangeError;
use super::limits::Limits;
use super::pool::OriginConnection;
use super::route::Route;
use super::settings::Settings;
use super::surroundings::Mail;

/// A connection coming about, for the object that drives it.
#[derive(Debug)]
pub(super) struct Dial {
    owner: Token,
    route: Rc<Route>,
    deadline: Instant,
    connector: Option<Connector>,
    /// Whether idle connections were closed to have descriptors for this one.
    made_room: bool,
}

impl Dial {
    pub(super) fn new(owner: Token, route: Rc<Route>, limits: &Limits, now: Instant) -> Self {
        let deadline = now + limits.connect_timeout;
        Self { owner, route, deadline, connector: None, made_room: false }
    }

    /// Goes on as far as it can: a connection, an error, or `Pending` until the owner is driven.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        let now = reactor.now().mono;
        if self.connector.is_none() {
            let Poll::Ready(addresses) = self.addresses(reactor, core)? else {
                let late = now >= self.deadline;
                return if late {
                    Poll::Ready(Err(ExchangeError::NameTimeout))
                } else {
                    Poll::Pending
                };
            };
            let left = self.deadline.saturating_duration_since(now);
            let stagger = core.settings.limits.connect_stagger;
            self.connector = Some(Connector::new(self.owner, addresses, now, stagger, left));
        }
        let Some(connector) = &mut self.connector else { return Poll::Pending };
        let connected = connector.drive(reactor);
        core.failed.note(connector, now);
        let connected = ready!(connected);
        Poll::Ready(match connected {
            Ok((io, address)) => Ok(OriginConnection { io, address, opened: now, reused: false }),
            Err(ConnectError::TimedOut) => Err(ExchangeError::ConnectTimeout),
            Err(ConnectError::Failed(_, error)) if is_exhaustion(&error) => {
                if !self.made_room && core.pool.shed_some(reactor) {
                    self.made_room = true;
                    self.connector = None;
                    return self.drive(reactor, core);
                }
                Err(ExchangeError::Overloaded)
            }
            // Where a reverse proxy's origin is was the operator's choice, and is no client's
            // business.
            Err(ConnectError::Failed(to, error)) => {
                let (told, kind) = (self.route.judged, error.kind());
                Err(ExchangeError::Connect { to, told, kind })
            }
            Err(ConnectError::NoAddress) => Err(ExchangeError::Name("no address".into())),
        })
    }

    /// The addresses that may be dialled, once they are known: both families in turn, those that
    /// have failed lately last.
    fn addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
    ) -> Poll<Result<Vec<SocketAddr>, ExchangeError>> {
        let name = match &self.route.host {
            Host::Address(address) => {
                let allowed = allowed(&[*address], &self.route, &core.settings);
                return Poll::Ready(allowed.map_err(ExchangeError::Denied));
            }
            Host::Name(name) => name,
        };
        let addresses = match ready!(core.names.look_up(name, self.owner, reactor)) {
            Ok(addresses) => addresses,
            Err(NameError::Overloaded) => return Poll::Ready(Err(ExchangeError::Overloaded)),
            // Who looks up the name of a reverse proxy's origin is no client's business either.
            Err(NameError::Unanswered(_)) if !self.route.judged => {
                return Poll::Ready(Err(ExchangeError::Name("no answer".into())));
            }
            Err(error) => return Poll::Ready(Err(ExchangeError::Name(error.to_string()))),
        };
        let mut allowed = match allowed(&addresses, &self.route, &core.settings) {
            Ok(allowed) => allowed,
            Err(denial) => return Poll::Ready(Err(ExchangeError::Denied(denial))),
        };
        interleave_families(&mut allowed);
        core.failed.put_last(&mut allowed, reactor.now().mono);
        Poll::Ready(Ok(allowed))
    }

    /// When it is to be driven again at the latest.
    pub(super) fn next_deadline(&self) -> Instant {
        self.connector.as_ref().map_or(self.deadline, Connector::next_deadline)
    }

    /// Closes what it has begun, and waits for nothing any more.
    pub(super) fn cancel(&mut self, reactor: &mut Reactor<Mail>, core: &mut Core) {
        if let Host::Name(name) = &self.route.host {
            core.names.leave(name, self.owner);
        }
        if let Some(mut connector) = self.connector.take() {
            connector.cancel(reactor);
        }
    }
}

/// Those of `addresses` that may be dialled; if there are none, why not the first.
fn allowed(
    addresses: &[IpAddr],
    route: &Route,
    settings: &Settings,
) -> Result<Vec<SocketAddr>, Denial> {
    let judge = |address| match route.judged {
        true => settings.destinations.judge_address(&route.host, address),
        false => Ok(()),
    };
    let mut denial = None;
    let mut allowed = Vec::with_capacity(addresses.len());
    for &address in addresses {
        match judge(address) {
            Ok(()) => allowed.push(SocketAddr::new(address, route.port)),
            Err(denied) => {
                denial.get_or_insert(denied);
            }
        }
    }
    match denial {
        Some(denial) if allowed.is_empty() => Err(denial),
        _ => Ok(allowed),
    }
}
