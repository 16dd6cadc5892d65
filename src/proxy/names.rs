//! Where the addresses of names come from: the loop itself, or somebody whose answers come as mail.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::task::Poll;
use std::time::Instant;

use crate::dns::{Answer, Known, NameError, NameLimits, Names, Times};
use crate::reactor::{Active, Arena, Reactor, ResolverLimits, Token, Wake};

use super::limits::Limits;
use super::settings::Settings;
use super::surroundings::{Mail, Resolver};

/// Driven for the sockets of the loop's own resolver.
#[derive(Debug)]
pub(super) struct Asking;

impl Active for Asking {
    const KIND: u8 = 8;
}

/// Names, what is known of them, and who is asked.
#[derive(Debug)]
pub(super) enum NameService {
    Loop(Box<crate::reactor::Resolver>),
    Mail(Box<Mailed>),
}

/// Somebody else, and what is known from there.
#[derive(Debug)]
pub(super) struct Mailed {
    names: Names<Token>,
    resolver: Box<dyn Resolver>,
}

impl NameService {
    /// Asks `resolver`, or without one itself.
    pub(super) fn new(
        resolver: Option<Box<dyn Resolver>>,
        settings: &Settings,
        secret: [u64; 2],
    ) -> Self {
        let limits = &settings.limits;
        if let Some(resolver) = resolver {
            let names = Names::new(name_limits(limits));
            return Self::Mail(Box::new(Mailed { names, resolver }));
        }
        let owner = Arena::new().insert(Asking).token();
        let sources = settings.name_sources.clone();
        let limits = resolver_limits(limits);
        let resolver = crate::reactor::Resolver::new(owner, sources, limits, expanded(secret));
        Self::Loop(Box::new(resolver))
    }

    /// Goes on with other settings.
    pub(super) fn reload(&mut self, settings: &Settings) {
        let limits = &settings.limits;
        match self {
            Self::Loop(resolver) => {
                resolver.reconfigure(settings.name_sources.clone(), resolver_limits(limits));
            }
            Self::Mail(mailed) => mailed.names.set_limits(name_limits(limits)),
        }
    }

    /// The addresses of `name`, or `Pending` until `waiter` is woken.
    pub(super) fn look_up(
        &mut self,
        name: &str,
        waiter: Token,
        reactor: &mut Reactor<Mail>,
    ) -> Poll<Answer> {
        match self {
            Self::Loop(resolver) => resolver.look_up(reactor, name, waiter),
            Self::Mail(mailed) => {
                match mailed.names.look_up(name, waiter, reactor.now().mono) {
                    Known::Answer(answer) => return Poll::Ready(answer),
                    Known::Ask => mailed.resolver.ask(name),
                    Known::Waiting => {}
                }
                Poll::Pending
            }
        }
    }

    /// `waiter` does not need the addresses of `name` any more. A question that nobody waits for
    /// does not keep others from being asked.
    pub(super) fn leave(&mut self, name: &str, waiter: Token) {
        match self {
            Self::Loop(resolver) => resolver.leave(name, waiter),
            Self::Mail(mailed) => {
                if mailed.names.leave(name, &waiter) && mailed.resolver.forget(name) {
                    mailed.names.forget(name);
                }
            }
        }
    }

    /// An answer has come as mail.
    pub(super) fn answered(
        &mut self,
        name: &str,
        addresses: io::Result<Vec<IpAddr>>,
        now: Instant,
        wake: &mut impl Wake,
    ) {
        let Self::Mail(mailed) = self else { return };
        let answer = match addresses {
            Ok(addresses) if addresses.is_empty() => Err(NameError::NoAddress),
            Ok(addresses) => Ok(addresses.into()),
            Err(error) => Err(NameError::System(error.to_string())),
        };
        let waiters = mailed.names.answered(name, answer, None, now);
        waiters.into_iter().for_each(|waiter| wake.wake(waiter));
    }

    /// A file about names that was read once and cannot be any more.
    pub(super) fn lost_file(&self) -> Option<&Path> {
        match self {
            Self::Loop(resolver) => resolver.lost_file(),
            Self::Mail(_) => None,
        }
    }

    /// Something has come for the loop's own resolver.
    pub(super) fn drive(&mut self, reactor: &mut Reactor<Mail>) {
        if let Self::Loop(resolver) = self {
            resolver.drive(reactor);
        }
    }

    /// Closes what it has open, once nobody needs a name any more.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Mail>) {
        if let Self::Loop(resolver) = self {
            resolver.close(reactor);
        }
    }
}

const fn name_limits(limits: &Limits) -> NameLimits {
    NameLimits {
        answer: limits.name_ttl,
        ttl: (limits.name_ttl_min, limits.name_ttl_max),
        negative: limits.name_negative_ttl,
        failure: limits.name_failure_ttl,
        stale: limits.name_stale,
        patience: limits.name_patience,
        recheck: limits.name_recheck,
        names: limits.names,
        asked: limits.names_asked,
    }
}

const fn resolver_limits(limits: &Limits) -> ResolverLimits {
    let times = Times { attempt: limits.dns_timeout, total: limits.name_timeout };
    ResolverLimits { names: name_limits(limits), times }
}

/// A key of its own from the secret of the process, which others are made from in other ways.
fn expanded([first, second]: [u64; 2]) -> [u8; 32] {
    let mut key = *b"tidegate: ids of dns queries ...";
    for (byte, secret) in key.iter_mut().zip([first, second].map(u64::to_le_bytes).as_flattened()) {
        *byte ^= secret;
    }
    key
}
