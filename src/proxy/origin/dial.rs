//! A connection to a destination: looked up, judged, dialled, all within one deadline.
//!
//! The addresses that are judged are the addresses that are dialled; there is no second look-up
//! between the two. Addresses of one family are dialled while those of the other are looked up, which
//! are judged and join them when they come.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use crate::access::{Host, RuleRef};
use crate::dns::{Addresses, NameError};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::routing::route::Route;
use crate::proxy::settings::Settings;
use crate::proxy::shared::Shared;
use crate::reactor::{ConnectError, Connector, Reactor, Token, interleave_families, is_exhaustion};

use super::pool::OriginConnection;

/// A connection coming about, for the object that drives it.
#[derive(Debug)]
pub(crate) struct Dial {
    owner: Token,
    route: Rc<Route>,
    /// The client whose question for the name it is, where clients share them.
    share: Option<IpAddr>,
    deadline: Instant,
    connector: Option<Connector>,
    /// Addresses that were judged last, until they are complete.
    judged: Option<Arc<[IpAddr]>>,
    complete: bool,
    /// The rule that would have denied one of the addresses, if it were not only written down.
    pub(crate) reported: Option<RuleRef>,
    /// Whether idle connections were closed to have descriptors for this one.
    made_room: bool,
}

impl Dial {
    /// A connection that `client` asks for, or the operator.
    pub(crate) fn new(
        owner: Token,
        route: Rc<Route>,
        client: Option<SocketAddr>,
        settings: &Settings,
        now: Instant,
    ) -> Self {
        Self {
            owner,
            route,
            share: client.and_then(|client| settings.share_of(client.ip())),
            deadline: now + settings.limits.connect_timeout,
            connector: None,
            judged: None,
            complete: false,
            reported: None,
            made_room: false,
        }
    }

    /// Goes on as far as it can: a connection, an error, or `Pending` until the owner is driven.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        if !self.complete {
            ready!(self.take_addresses(reactor, shared))?;
        }
        let now = reactor.now().mono;
        let Some(connector) = &mut self.connector else { return Poll::Pending };
        let connected = connector.drive(reactor);
        shared.failed.note(connector, now);
        let connected = ready!(connected);
        self.leave_name(shared);
        Poll::Ready(match connected {
            Ok((io, address)) => Ok(OriginConnection::new(io, address, now)),
            Err(ConnectError::TimedOut) => Err(ExchangeError::ConnectTimeout),
            Err(ConnectError::Failed(_, error)) if is_exhaustion(&error) => {
                if !self.made_room && shared.pool.shed_some(reactor) {
                    self.made_room = true;
                    (self.connector, self.judged, self.complete) = (None, None, false);
                    return self.drive(reactor, shared);
                }
                Err(ExchangeError::Overloaded)
            }
            // Where a reverse proxy's origin is was the operator's choice, and is no client's
            // business.
            Err(ConnectError::Failed(to, error)) => {
                let (told, kind) = (self.route.judgement.is_some(), error.kind());
                Err(ExchangeError::Connect { to, told, kind })
            }
            Err(ConnectError::NoAddress) => Err(ExchangeError::DnsFailure("no address".into())),
        })
    }

    /// Has the addresses tried that are known and allowed. `Pending` while there is none; an error only
    /// if none was tried.
    fn take_addresses(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<(), ExchangeError>> {
        let found = self.look_up(reactor, shared);
        match (&mut self.connector, found) {
            (None, Poll::Pending) => return Poll::Pending,
            (None, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
            (None, Poll::Ready(Ok(allowed))) => {
                self.connector = Some(self.connect_to(allowed, reactor.now().mono, shared));
            }
            (Some(_), Poll::Pending) => {}
            (Some(connector), Poll::Ready(Ok(allowed))) => connector.update(allowed),
            (Some(_), Poll::Ready(Err(_))) => self.complete = true, // what was allowed is still tried
        }
        if let Some(connector) = &mut self.connector {
            connector.set_complete(self.complete);
        }
        Poll::Ready(Ok(()))
    }

    /// Begins to try addresses, in the time that is left. There is none only if the loop stood still
    /// while they were looked up, for which no address is to blame: then they have it from now on.
    fn connect_to(&self, addresses: Vec<SocketAddr>, now: Instant, shared: &Shared) -> Connector {
        let limits = &shared.settings.limits;
        let left = self.deadline.saturating_duration_since(now);
        let time = if left.is_zero() { limits.connect_timeout } else { left };
        Connector::new(self.owner, addresses, now, limits.connect_stagger, time)
    }

    /// The addresses that may be dialled, once there are some that were not judged yet: both families
    /// in turn, those that have failed lately last. Until they are complete, none that may be dialled
    /// is no error yet.
    pub(crate) fn look_up(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<Vec<SocketAddr>, ExchangeError>> {
        let Addresses { list, complete } = ready!(self.addresses(reactor, shared)?);
        let now = reactor.now().mono;
        let known = self.judged.as_ref().is_some_and(|judged| Arc::ptr_eq(judged, &list));
        self.complete = complete;
        if known && !complete && now < self.deadline {
            return Poll::Pending;
        }
        let allowed = self.allowed(&list, shared);
        self.judged = Some(list);
        match allowed {
            Err(_) if !complete && now < self.deadline => Poll::Pending,
            Err(denial) => Poll::Ready(Err(denial)),
            Ok(mut allowed) => {
                interleave_families(&mut allowed);
                shared.failed.put_last(&mut allowed, now);
                Poll::Ready(Ok(allowed))
            }
        }
    }

    /// All addresses of the destination, or those that are known when there is no more time.
    pub(crate) fn all_addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<Arc<[IpAddr]>, ExchangeError>> {
        let found = ready!(self.addresses(reactor, shared)?);
        if !found.complete && reactor.now().mono < self.deadline {
            return Poll::Pending;
        }
        self.leave_name(shared);
        Poll::Ready(Ok(found.list))
    }

    /// The addresses of the destination, once some are known.
    fn addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Result<Addresses, ExchangeError>> {
        let name = match &self.route.host {
            Host::Address(address) => {
                let list = [*address].into();
                return Poll::Ready(Ok(Addresses { list, complete: true }));
            }
            Host::Name(name) => name,
        };
        let Poll::Ready(answer) = shared.names.look_up(name, self.owner, self.share, reactor)
        else {
            let late = reactor.now().mono >= self.deadline;
            let timeout = ExchangeError::DnsTimeout(None);
            return if late { Poll::Ready(Err(timeout)) } else { Poll::Pending };
        };
        // Who looks up the name of a reverse proxy's origin is no client's business either.
        let told = self.route.judgement.is_some();
        Poll::Ready(answer.map_err(|error| match error {
            NameError::Overloaded => ExchangeError::Overloaded,
            NameError::TimedOut(why) => ExchangeError::DnsTimeout(told.then_some(why)),
            NameError::Unanswered(_) if !told => ExchangeError::DnsFailure("no answer".into()),
            error => ExchangeError::DnsFailure(error.to_string()),
        }))
    }

    /// When it is to be driven again at the latest.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.connector.as_ref().map_or(self.deadline, Connector::next_deadline)
    }

    /// Returns true if its owner may wait for the addresses of `name`.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        self.route.host.name().is_some_and(|host| host == name)
    }

    /// Closes what it has begun, and waits for nothing any more.
    pub(crate) fn cancel(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.leave_name(shared);
        if let Some(mut connector) = self.connector.take() {
            connector.cancel(reactor);
        }
    }

    /// Waits for no address any more.
    fn leave_name(&self, shared: &mut Shared) {
        if let Host::Name(name) = &self.route.host {
            shared.names.leave(name, self.owner);
        }
    }

    /// Those of `addresses` that may be dialled; if there are none, why not the first. The first rule is
    /// remembered that would have denied one of them.
    fn allowed(
        &mut self,
        addresses: &[IpAddr],
        shared: &Shared,
    ) -> Result<Vec<SocketAddr>, ExchangeError> {
        let mut denial = None;
        let mut allowed = Vec::with_capacity(addresses.len());
        for &address in addresses {
            match self.route.check_address(address, shared) {
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
