//! Dials: name lookup, check of the addresses, connection attempts, PROXY header and TLS handshake, within
//! one deadline.
//!
//! The addresses that are checked are the addresses that are dialled: there is no second lookup in
//! between. Addresses of one family are dialled while those of the other are looked up; these are
//! checked and added when they arrive.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use crate::access::{Host, RuleRef};
use crate::balance::OriginAddress;
use crate::dns::{Addresses, NameError};
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::observe::handshakes::Handshakes;
use crate::proxy::observe::timings::Timings;
use crate::proxy::routing::route::Origin;
use crate::proxy::settings::Settings;
use crate::reactor::{
    ConnectError, Connector, LocalConnector, Reactor, Token, interleave_families, is_exhaustion,
};

use super::Origins;
use super::handshake::Handshake;
use super::introduction::{Ends, Introduction};
use super::pool::OriginConnection;

/// A connection being established. Its owner drives it.
#[derive(Debug)]
pub(crate) struct Dial {
    owner: Token,
    origin: Arc<Origin>,
    /// The client that the name lookup is charged to, if clients share lookups.
    share: Option<IpAddr>,
    deadline: Instant,
    connector: Option<Connector>,
    /// The attempt to connect to a socket in the file system.
    local: Option<LocalConnector>,
    /// The addresses that the origin gets, if it gets a PROXY header.
    ends: Ends,
    /// The PROXY header on a connection that was established.
    introduction: Option<Introduction>,
    /// The TLS handshake on a connection that was established.
    handshake: Option<Handshake>,
    /// The addresses checked last, to recognize an incomplete list that has not grown.
    checked: Option<Arc<[IpAddr]>>,
    complete: bool,
    /// The report rule that would have denied one of the addresses.
    pub(crate) reported: Option<RuleRef>,
    /// Durations of the steps so far, and the time at which the present one began.
    pub(crate) timings: Timings,
    step_began: Instant,
    /// True if idle connections were closed to free descriptors for this dial.
    made_room: bool,
}

impl Dial {
    /// Creates a dial on behalf of `client`, or of the operator if that is `None`.
    pub(crate) fn new(
        owner: Token,
        origin: Arc<Origin>,
        client: Option<SocketAddr>,
        settings: &Settings,
        now: Instant,
    ) -> Self {
        Self {
            owner,
            origin,
            share: client.and_then(|client| settings.share_of(client.ip())),
            deadline: now + settings.limits.connect_timeout,
            connector: None,
            local: None,
            ends: Ends::OWN,
            introduction: None,
            handshake: None,
            checked: None,
            complete: false,
            reported: None,
            timings: Timings::default(),
            step_began: now,
            made_room: false,
        }
    }

    /// Returns the same dial for a client with the address `source` that has connected to `destination`, of
    /// which origins that get a PROXY header are told.
    pub(crate) fn introducing(self, source: SocketAddr, destination: SocketAddr) -> Self {
        Self { ends: Ends::of(source, destination), ..self }
    }

    /// Continues as far as possible, and counts TLS handshakes in `handshakes`; `Pending` until the
    /// owner is woken.
    pub(crate) fn drive(
        &mut self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
        settings: &Settings,
        handshakes: &mut Handshakes,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        loop {
            if self.introduction.is_none() && self.handshake.is_none() {
                let connection = ready!(self.connect(reactor, origins, settings)?);
                self.timings.connect = Some(self.end_step(reactor.now().mono));
                let until = self.handshake_deadline(reactor.now().mono, settings);
                let version = self.origin.proxy_protocol;
                let introduction = Introduction::begin(connection, version, self.ends, until);
                self.introduction = Some(introduction);
            }
            if let Some(introduction) = &mut self.introduction {
                let (sent, until) = (ready!(introduction.drive(reactor)), introduction.deadline());
                self.introduction = None;
                let connection = sent?;
                self.handshake = Handshake::begin(connection, &self.origin, until, reactor)?;
                if self.handshake.is_none() {
                    return Poll::Ready(Ok(connection));
                }
            }
            let Some(handshake) = &self.handshake else { continue };
            let address = handshake.connection.address;
            let done = ready!(handshake.drive(reactor, handshakes));
            self.handshake = None;
            match done {
                Ok(connection) => {
                    self.timings.handshake = Some(self.end_step(reactor.now().mono));
                    return Poll::Ready(Ok(connection));
                }
                Err(failure)
                    if failure.is_of_address && address.is_some_and(|it| self.rejects(it)) => {}
                Err(failure) => return Poll::Ready(Err(failure.error)),
            }
        }
    }

    /// Returns the duration of the present step, which ends, and begins the next one.
    fn end_step(&mut self, now: Instant) -> Duration {
        now.saturating_duration_since(std::mem::replace(&mut self.step_began, now))
    }

    /// Rejects an address that has connected. Returns true if there are others to try.
    fn rejects(&mut self, address: SocketAddr) -> bool {
        self.connector.as_mut().is_some_and(|connector| connector.reject(address))
    }

    /// Returns the time until which a handshake may last that begins `now`: the whole time if none is
    /// left, as for [connection attempts](Self::connect_to).
    fn handshake_deadline(&self, now: Instant, settings: &Settings) -> Instant {
        if now < self.deadline { self.deadline } else { now + settings.limits.connect_timeout }
    }

    /// Continues until a connection is established.
    fn connect(
        &mut self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
        settings: &Settings,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        if let Some(OriginAddress::Local(path)) = &self.origin.address {
            let path = Arc::clone(path);
            return self.connect_local(&path, reactor, origins, settings);
        }
        if !self.complete {
            ready!(self.take_addresses(reactor, origins, settings))?;
        }
        let now = reactor.now().mono;
        let Some(connector) = &mut self.connector else { return Poll::Pending };
        let connected = connector.drive(reactor);
        origins.failed.note(connector, now);
        let connected = ready!(connected);
        self.leave_name(origins);
        Poll::Ready(match connected {
            Ok((io, address)) => {
                self.complete = true; // no further addresses are waited for
                Ok(OriginConnection::new(io, Some(address), now))
            }
            Err(ConnectError::TimedOut) => Err(ExchangeError::ConnectTimeout),
            Err(ConnectError::Failed(_, error)) if is_exhaustion(&error) => {
                if !self.made_room && origins.pool.shed_some(reactor) {
                    self.made_room = true;
                    (self.connector, self.checked, self.complete) = (None, None, false);
                    return self.connect(reactor, origins, settings);
                }
                Err(ExchangeError::Overloaded)
            }
            // The operator has chosen the origin of a reverse proxy; clients are not told its
            // address.
            Err(ConnectError::Failed(to, error)) => {
                let (disclosed, kind) = (self.origin.decision.is_some(), error.kind());
                Err(ExchangeError::Connect { to: Some(to), disclosed, kind })
            }
            Err(ConnectError::NoAddress) => Err(ExchangeError::DnsFailure("no address".into())),
        })
    }

    /// Connects to a socket in the file system. A full backlog is waited for.
    fn connect_local(
        &mut self,
        path: &Path,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
        settings: &Settings,
    ) -> Poll<Result<OriginConnection, ExchangeError>> {
        let (owner, now) = (self.owner, reactor.now().mono);
        let timeout = settings.limits.connect_timeout;
        let local =
            self.local.get_or_insert_with(|| LocalConnector::new(owner, path, now, timeout));
        let connected = ready!(local.drive(reactor));
        self.local = None;
        Poll::Ready(match connected {
            Ok(io) => Ok(OriginConnection::new(io, None, now)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(ExchangeError::ConnectTimeout)
            }
            Err(error) if is_exhaustion(&error) => {
                if !self.made_room && origins.pool.shed_some(reactor) {
                    self.made_room = true;
                    return self.connect_local(path, reactor, origins, settings);
                }
                Err(ExchangeError::Overloaded)
            }
            Err(error) => {
                Err(ExchangeError::Connect { to: None, disclosed: false, kind: error.kind() })
            }
        })
    }

    /// Hands the known and allowed addresses to the connector. `Pending` while there is none; an
    /// error only if none was handed over before.
    fn take_addresses(
        &mut self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
        settings: &Settings,
    ) -> Poll<Result<(), ExchangeError>> {
        let found = self.look_up(reactor, origins, settings);
        match (&mut self.connector, found) {
            (None, Poll::Pending) => return Poll::Pending,
            (None, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
            (None, Poll::Ready(Ok(allowed))) => {
                self.timings.lookup = Some(self.end_step(reactor.now().mono));
                self.connector = Some(self.connect_to(allowed, reactor.now().mono, settings));
            }
            (Some(_), Poll::Pending) => {}
            (Some(connector), Poll::Ready(Ok(allowed))) => connector.update(allowed),
            // Addresses allowed before are still tried.
            (Some(_), Poll::Ready(Err(_))) => self.complete = true,
        }
        if let Some(connector) = &mut self.connector {
            connector.set_complete(self.complete);
        }
        Poll::Ready(Ok(()))
    }

    /// Begins to try addresses, in the time that is left. If none is left, the loop stood still
    /// during the lookup, which is no fault of an address: the attempts then get the whole time
    /// from now on.
    fn connect_to(
        &self,
        addresses: Vec<SocketAddr>,
        now: Instant,
        settings: &Settings,
    ) -> Connector {
        let limits = &settings.limits;
        let left = self.deadline.saturating_duration_since(now);
        let time = if left.is_zero() { limits.connect_timeout } else { left };
        Connector::new(self.owner, addresses, now, limits.connect_stagger, time)
    }

    /// Returns the addresses that may be dialled, once there are some that were not checked yet:
    /// families alternate, and addresses that failed recently come last. A denial of all addresses
    /// is an error only once the list is complete.
    pub(crate) fn look_up(
        &mut self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
        settings: &Settings,
    ) -> Poll<Result<Vec<SocketAddr>, ExchangeError>> {
        let Addresses { list, complete } = ready!(self.addresses(reactor, origins)?);
        let now = reactor.now().mono;
        let known = self.checked.as_ref().is_some_and(|checked| Arc::ptr_eq(checked, &list));
        self.complete = complete;
        if known && !complete && now < self.deadline {
            return Poll::Pending;
        }
        let allowed = self.allowed(&list, origins, settings);
        self.checked = Some(list);
        match allowed {
            Err(_) if !complete && now < self.deadline => Poll::Pending,
            Err(denial) => Poll::Ready(Err(denial)),
            Ok(mut allowed) => {
                interleave_families(&mut allowed);
                origins.failed.put_last(&mut allowed, now);
                Poll::Ready(Ok(allowed))
            }
        }
    }

    /// Returns all addresses of the destination, or those known at the deadline.
    pub(crate) fn all_addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
    ) -> Poll<Result<Arc<[IpAddr]>, ExchangeError>> {
        let found = ready!(self.addresses(reactor, origins)?);
        if !found.complete && reactor.now().mono < self.deadline {
            return Poll::Pending;
        }
        self.leave_name(origins);
        Poll::Ready(Ok(found.list))
    }

    /// Returns the addresses of the destination, once some are known.
    fn addresses(
        &self,
        reactor: &mut Reactor<Mail>,
        origins: &mut Origins,
    ) -> Poll<Result<Addresses, ExchangeError>> {
        if let Some(OriginAddress::Tcp(address)) = &self.origin.address {
            let list = [address.ip()].into();
            return Poll::Ready(Ok(Addresses { list, complete: true }));
        }
        let name = match &self.origin.host {
            Host::Address(address) => {
                let list = [*address].into();
                return Poll::Ready(Ok(Addresses { list, complete: true }));
            }
            Host::Name(name) => name,
        };
        let Poll::Ready(answer) = origins.names.look_up(name, self.owner, self.share, reactor)
        else {
            let late = reactor.now().mono >= self.deadline;
            let timeout = ExchangeError::DnsTimeout(None);
            return if late { Poll::Ready(Err(timeout)) } else { Poll::Pending };
        };
        // Clients of a reverse proxy are not told about name servers, either.
        let disclosed = self.origin.decision.is_some();
        Poll::Ready(answer.map_err(|error| match error {
            NameError::Overloaded => ExchangeError::Overloaded,
            NameError::TimedOut(why) => ExchangeError::DnsTimeout(disclosed.then_some(why)),
            NameError::Unanswered(_) if !disclosed => ExchangeError::DnsFailure("no answer".into()),
            error => ExchangeError::DnsFailure(error.to_string()),
        }))
    }

    /// Returns the time at which the owner must drive the dial again.
    pub(crate) fn next_deadline(&self) -> Instant {
        let connector = || self.connector.as_ref().map(Connector::next_deadline);
        let local = || self.local.as_ref().map(LocalConnector::next_deadline);
        let introduction = || self.introduction.as_ref().map(Introduction::deadline);
        let handshake = self.handshake.as_ref().map(Handshake::deadline);
        let of_connection = handshake.or_else(introduction);
        of_connection.or_else(local).or_else(connector).unwrap_or(self.deadline)
    }

    /// Returns true if the owner may wait for the addresses of `name`.
    pub(crate) fn looks_up(&self, name: &str) -> bool {
        self.origin.address.is_none() && self.origin.host.name().is_some_and(|host| host == name)
    }

    /// Cancels the lookup and all connection attempts.
    pub(crate) fn cancel(&mut self, reactor: &mut Reactor<Mail>, origins: &mut Origins) {
        self.leave_name(origins);
        if let Some(mut connector) = self.connector.take() {
            connector.cancel(reactor);
        }
        if let Some(mut local) = self.local.take() {
            local.cancel(reactor);
        }
        if let Some(introduction) = self.introduction.take() {
            introduction.cancel(reactor);
        }
        if let Some(handshake) = self.handshake.take() {
            reactor.close(handshake.connection.io);
        }
    }

    /// Stops waiting for addresses.
    fn leave_name(&self, origins: &mut Origins) {
        if let (Host::Name(name), None) = (&self.origin.host, &self.origin.address) {
            origins.names.leave(name, self.owner);
        }
    }

    /// Returns the allowed ones of `addresses`, and records the first report rule that would have
    /// denied one.
    ///
    /// # Errors
    /// Returns the denial of the first address if all are denied.
    fn allowed(
        &mut self,
        addresses: &[IpAddr],
        origins: &Origins,
        settings: &Settings,
    ) -> Result<Vec<SocketAddr>, ExchangeError> {
        let mut denial = None;
        let mut allowed = Vec::with_capacity(addresses.len());
        for &address in addresses {
            match self.origin.check_address(address, settings, &origins.interfaces) {
                Ok(rule) => {
                    allowed.push(SocketAddr::new(address, self.origin.port));
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
