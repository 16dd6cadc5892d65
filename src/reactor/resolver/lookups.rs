//! Look-ups under way, each with its own token and the sockets of its queries.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::dns::{Found, Lookup, LookupAction, QUESTIONS, Query, Random, ServerObservation};
use crate::reactor::arena::{Arena, Id, Token};
use crate::reactor::net::listener::is_exhaustion;
use crate::reactor::{Reactor, Wake};
use crate::work::count;

use super::wire::{self, Wire};

/// Limits of messages and bytes received for one query in one drive, so that a fast sender does not
/// hold up the loop.
const MESSAGES: usize = 16;
const BYTES: usize = 64 * 1024;

/// All look-ups under way.
#[derive(Debug)]
pub(super) struct Lookups {
    /// Kind of the look-ups' tokens. The first place of that kind is the resolver's own.
    kind: u8,
    open: Arena<Open>,
    by_name: HashMap<Arc<str>, Id<Open>>,
    random: Random,
    datagram: Vec<u8>,
}

/// A look-up under way.
#[derive(Debug)]
pub(super) struct Open {
    token: Token,
    name: Arc<str>,
    lookup: Lookup,
    wires: [Option<Wire>; QUESTIONS],
    /// Time at which waiters get an expired answer, if there is one.
    expired_at: Option<Instant>,
}

/// Result of driving a look-up.
#[derive(Debug)]
pub(super) enum News {
    /// Addresses, or the end of the look-up.
    Found(Found),
    /// The look-up takes so long that an expired answer is served.
    Slow,
    /// An observation of a server.
    Server(SocketAddr, ServerObservation),
}

impl Lookups {
    pub(super) fn new(kind: u8, random: Random) -> Self {
        let (open, by_name) = (Arena::new(), HashMap::new());
        Self { kind, open, by_name, random, datagram: Vec::new() }
    }

    /// Returns the token of the resolver itself, which names no look-up.
    pub(super) const fn own_token(&self) -> Token {
        Token::new(self.kind, 0, 0)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Begins a look-up, which is driven soon.
    pub(super) fn open<M>(
        &mut self,
        name: Arc<str>,
        lookup: Lookup,
        expired_at: Option<Instant>,
        reactor: &mut Reactor<M>,
    ) {
        let (kind, wires) = (self.kind, [const { None }; QUESTIONS]);
        let id = self.open.insert_with(|id: Id<Open>| {
            let place =
                u32::try_from(id.index() + 1).expect("an arena holds fewer than 2^28 objects");
            let token = Token::new(kind, place, id.generation());
            Open { token, name: Arc::clone(&name), lookup, wires, expired_at }
        });
        if let Some(open) = self.open.get(id) {
            reactor.wake(open.token);
        }
        if let Some(before) = self.by_name.insert(name, id) {
            self.remove(before, reactor);
        }
    }

    /// Drives the look-up named by `token`, if it exists. Returns its name and the results.
    pub(super) fn drive<M>(
        &mut self,
        token: Token,
        reactor: &mut Reactor<M>,
    ) -> Option<(Arc<str>, Vec<News>)> {
        let place = token.index().checked_sub(1)?;
        self.drive_id(Id::from_parts(place, token.generation()), reactor)
    }

    /// Drives the look-up of `name` if its sockets have unread data: an answer that arrived in time
    /// counts, however late it is read.
    pub(super) fn drive_ready<M>(
        &mut self,
        name: &str,
        reactor: &mut Reactor<M>,
    ) -> Option<(Arc<str>, Vec<News>)> {
        let id = *self.by_name.get(name)?;
        let ready = self.open.get(id)?.wires.iter().flatten().any(|wire| wire.has_news(reactor));
        if ready { self.drive_id(id, reactor) } else { None }
    }

    fn drive_id<M>(
        &mut self,
        id: Id<Open>,
        reactor: &mut Reactor<M>,
    ) -> Option<(Arc<str>, Vec<News>)> {
        let open = self.open.get_mut(id)?;
        let news = open.drive(reactor, &mut self.random, &mut self.datagram);
        let name = Arc::clone(&open.name);
        if news.iter().any(|news| matches!(news, News::Found(found) if found.complete)) {
            self.close(&name, reactor);
        }
        Some((name, news))
    }

    /// Ends a look-up and closes its sockets.
    pub(super) fn close<M>(&mut self, name: &str, reactor: &mut Reactor<M>) {
        if let Some(id) = self.by_name.remove(name) {
            self.remove(id, reactor);
        }
    }

    /// Ends all look-ups and returns their names.
    pub(super) fn close_all<M>(&mut self, reactor: &mut Reactor<M>) -> Vec<Arc<str>> {
        let names: Vec<Arc<str>> = self.by_name.keys().cloned().collect();
        names.iter().for_each(|name| self.close(name, reactor));
        names
    }

    fn remove<M>(&mut self, id: Id<Open>, reactor: &mut Reactor<M>) {
        if let Some(mut open) = self.open.remove(id) {
            (0..QUESTIONS).for_each(|place| open.hang_up(place, reactor));
            reactor.set_deadline(open.token, None);
        }
    }
}

impl Open {
    fn drive<M>(
        &mut self,
        reactor: &mut Reactor<M>,
        random: &mut Random,
        datagram: &mut Vec<u8>,
    ) -> Vec<News> {
        let now = reactor.now().mono;
        let mut news = Vec::new();
        for place in 0..QUESTIONS {
            self.receive(place, datagram, reactor);
        }
        while let Some(step) = self.lookup.step(now, random) {
            match step {
                LookupAction::Ask(place, query) => self.ask(place, query, reactor),
                LookupAction::Found(found) => news.push(News::Found(found)),
            }
        }
        let noticed = self.lookup.noticed();
        news.extend(noticed.map(|(server, notice)| News::Server(server, notice)));
        for place in 0..QUESTIONS {
            if !self.lookup.is_waiting(place) {
                self.hang_up(place, reactor);
            }
        }
        if self.expired_at.take_if(|at| now >= *at).is_some() {
            news.push(News::Slow);
        }
        let deadlines = self.lookup.next_deadline().into_iter().chain(self.expired_at);
        reactor.set_deadline(self.token, deadlines.min());
        news
    }

    fn ask<M>(&mut self, place: usize, query: Query, reactor: &mut Reactor<M>) {
        self.hang_up(place, reactor);
        match Wire::open(query, self.token, reactor) {
            Ok(wire) => self.wires[place] = Some(wire),
            Err(error) if is_exhaustion(&error) => {
                self.lookup.postpone(place, reactor.now().mono);
            }
            Err(error) => self.lookup.failed(place, &error),
        }
    }

    /// Receives messages for one query until one of them is its answer.
    fn receive<M>(&mut self, place: usize, datagram: &mut Vec<u8>, reactor: &mut Reactor<M>) {
        let Some(wire) = &mut self.wires[place] else { return };
        let (mut messages, mut bytes) = (0, 0);
        while messages < MESSAGES && bytes < BYTES {
            if !self.lookup.is_waiting(place) {
                return;
            }
            datagram.clear();
            datagram.reserve(wire::DATAGRAM);
            match wire.receive(datagram, reactor) {
                Poll::Pending => return,
                Poll::Ready(Ok(source)) => self.lookup.received(place, source, datagram),
                Poll::Ready(Err(error)) => return self.lookup.failed(place, &error),
            }
            count(datagram.len());
            (messages, bytes) = (messages + 1, bytes + datagram.len());
        }
        reactor.wake(self.token);
    }

    fn hang_up<M>(&mut self, place: usize, reactor: &mut Reactor<M>) {
        if let Some(wire) = self.wires[place].take() {
            wire.close(reactor);
        }
    }
}
