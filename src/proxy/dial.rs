//! A connection to a destination: looked up, judged, dialled, all within one deadline.
//!
//! The addresses that are judged are the addresses that are dialled; there is no second look-up
//! between the two.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use crate::access::{Host, RuleName};
use crate::dns::NameError;
use crate::reactor::{ConnectError, Connector, Reactor, Token, interleave_families, is_exhaustion};

use super::core::Core;
use super::error::ExchangeError;
use super::limits::Limits;
use super::pool::OriginConnection;
use super::route::Route;
use super::surroundings::Mail;

/// A connection coming about, for the object that drives it.
#[derive(Debug)]
pub(super) struct Dial {
    owner: Token,
    route: Rc<Route>,
    deadline: Instant,
    connector: Option<Connector>,
    /// The rule that would have denied one of the addresses, if it were not only written down.
    pub(super) reported: Option<RuleName>,
    /// Whether idle connections were closed to have descriptors for this one.
    made_room: bool,
}

impl Dial {
    pub(super) fn new(owner: Token, route: Rc<Route>, limits: &Limits, now: Instant) -> Self {
        let deadline = now + limits.connect_timeout;
        Self { owner, route, deadline, connector: None, reported: None, made_room: false }
    }

    /// Goes on as far as it can: a connection, an error, or `Pending` until the owner is driven.
    pub(super) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        let now = reactor.now().mono;
        if self.connector.is_none() {
            let Poll::Ready(addresses) = self.look_up(reactor, core)? else { return Poll::Pending };
            let left = self.deadline.saturating_duration_since(now);
            let stagger = core.settings.limits.connect_stagger;
            self.connector = Some(Connector::new(self.owner, addresses, now, stagger, left));
        }
        let Some(connector) = &mut self.connector else { return Poll::Pending };
        let connected = connector.drive(reactor);
        core.failed.note(connector, now);
        let connected = ready!(connected);
        Poll::Ready(match connected {
            Ok((io, address)) => Ok(OriginConnection::new(io, address, now)),
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
                let (told, kind) = (self.route.judgement.is_some(), error.kind());
                Err(ExchangeError::Connect { to, told, kind })
            }
            Err(ConnectError::NoAddress) => Err(ExchangeError::Name("no address".into())),
        })
    }

    /// The addresses that may be dialled, once they are known: both families in turn, those that
    /// have failed lately last.
    pub(super) fn look_up(
        &mut self,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
    ) -> Poll<Result<Vec<SocketAddr>, ExchangeError>> {
        let addresses = ready!(self.addresses(reactor, core)?);
        let now = reactor.now().mono;
        let mut allowed = self.allowed(&addresses, core)?;
        interleave_families(&mut allowed);
        core.failed.put_last(&mut allowed, now);
        Poll::Ready(Ok(allowed))
    }

    /// The addresses of the destination, once they are known.
    pub(super) fn addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        core: &mut Core,
    ) -> Poll<Result<Arc<[IpAddr]>, ExchangeError>> {
        let name = match &self.route.host {
            Host::Address(address) => return Poll::Ready(Ok([*address].into())),
            Host::Name(name) => name,
        };
        let Poll::Ready(answer) = core.names.look_up(name, self.owner, reactor) else {
            let late = reactor.now().mono >= self.deadline;
            let timeout = ExchangeError::NameTimeout(None);
            return if late { Poll::Ready(Err(timeout)) } else { Poll::Pending };
        };
        // Who looks up the name of a reverse proxy's origin is no client's business either.
        let told = self.route.judgement.is_some();
        Poll::Ready(answer.map_err(|error| match error {
            NameError::Overloaded => ExchangeError::Overloaded,
            NameError::TimedOut(why) => ExchangeError::NameTimeout(told.then_some(why)),
            NameError::Unanswered(_) if !told => ExchangeError::Name("no answer".into()),
            error => ExchangeError::Name(error.to_string()),
        }))
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

    /// Those of `addresses` that may be dialled; if there are none, why not the first. The first rule is
    /// remembered that would have denied one of them.
    fn allowed(
        &mut self,
        addresses: &[IpAddr],
        core: &Core,
    ) -> Result<Vec<SocketAddr>, ExchangeError> {
        let mut denial = None;
        let mut allowed = Vec::with_capacity(addresses.len());
        for &address in addresses {
            match self.route.judge(address, core) {
                Ok(rule) => {
                    allowed.push(SocketAddr::new(address, self.route.port));
                    self.reported = self.reported.take().or(rule);
                }
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
}
