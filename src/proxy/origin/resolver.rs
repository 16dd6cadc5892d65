//! The name service: a resolver on the loop, or one of the embedder that answers by mail.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::task::Poll;
use std::time::Instant;

use crate::dns::{
    Addresses, CacheAnswer, MOST_ADDRESSES, NameCache, NameError, NameLimits, Timeouts,
};
use crate::proxy::environment::NameResolver;
use crate::proxy::mail::Mail;
use crate::proxy::settings::Settings;
use crate::proxy::settings::limits::Limits;
use crate::reactor::{Arena, Driven, Reactor, ResolverLimits, Token, Wake};

/// Most waiters woken in one drive, so that a name with many waiters does not block the loop.
const WAKES: usize = 1024;

/// Kind of the tokens driven for name lookups: queries of the loop's own resolver, or the waking of
/// waiters.
#[derive(Debug)]
pub(crate) struct ResolverTask;

impl Driven for ResolverTask {
    const KIND: u8 = 8;
}

/// The source of addresses, with its cache.
#[derive(Debug)]
pub(crate) enum NameService {
    Loop(Box<crate::reactor::Resolver>),
    Mail(Box<Mailed>),
}

/// A resolver of the embedder, with a cache of its answers.
#[derive(Debug)]
pub(crate) struct Mailed {
    /// Driven while waiters have yet to be woken.
    token: Token,
    names: NameCache<Token>,
    resolver: Box<dyn NameResolver>,
}

impl NameService {
    /// Creates the service on `resolver`, or on the loop's own if that is `None`.
    pub(crate) fn new(
        resolver: Option<Box<dyn NameResolver>>,
        settings: &Settings,
        secret: [u64; 2],
    ) -> Self {
        let limits = &settings.limits;
        if let Some(resolver) = resolver {
            let names = NameCache::new(name_limits(limits));
            let token = Arena::new().insert(ResolverTask).token();
            return Self::Mail(Box::new(Mailed { token, names, resolver }));
        }
        let sources = settings.name_sources.clone();
        let (limits, secret) = (resolver_limits(limits), expanded(secret));
        let resolver = crate::reactor::Resolver::new::<ResolverTask>(sources, limits, secret);
        Self::Loop(Box::new(resolver))
    }

    /// Applies new settings.
    pub(crate) fn reload(&mut self, settings: &Settings, reactor: &mut Reactor<Mail>) {
        let limits = &settings.limits;
        match self {
            Self::Loop(resolver) => {
                let sources = settings.name_sources.clone();
                resolver.reconfigure(reactor, sources, resolver_limits(limits));
            }
            Self::Mail(mailed) => mailed.names.set_limits(name_limits(limits)),
        }
    }

    /// Returns the known addresses of `name`, or `Pending`. Until they are complete, `waiter` is
    /// woken when there are more. The lookup is charged to the client `share`.
    pub(super) fn look_up(
        &mut self,
        name: &str,
        waiter: Token,
        share: Option<IpAddr>,
        reactor: &mut Reactor<Mail>,
    ) -> Poll<Result<Addresses, NameError>> {
        let mailed = match self {
            Self::Loop(resolver) => return resolver.look_up(reactor, name, waiter, share),
            Self::Mail(mailed) => mailed,
        };
        match mailed.names.look_up(name, waiter, share, reactor.now().mono) {
            CacheAnswer::Answer(answer) => return Poll::Ready(answer),
            CacheAnswer::Waiting => {}
            CacheAnswer::Ask(displaced) => {
                if let Some(other) = displaced {
                    mailed.resolver.forget(&other);
                }
                mailed.resolver.ask(name, share);
            }
        }
        Poll::Pending
    }

    /// Removes a waiter for `name`. A lookup without waiters does not keep others from being made.
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

    /// Records the answer of the embedder's resolver, and wakes the waiters.
    pub(crate) fn answered(
        &mut self,
        name: &str,
        addresses: io::Result<Vec<IpAddr>>,
        now: Instant,
        wake: &mut impl Wake,
    ) {
        let Self::Mail(mailed) = self else { return };
        let answer = match addresses {
            Ok(addresses) if addresses.is_empty() => Err(NameError::NoAddress),
            Ok(addresses) => Ok(some_of_each_family(addresses).into()),
            Err(error) => Err(NameError::System(error.to_string())),
        };
        mailed.names.answered(name, answer, None, now);
        mailed.tell(wake);
    }

    /// Returns a file for name lookups that can no longer be read; its last content applies.
    pub(crate) fn lost_file(&self) -> Option<&Path> {
        match self {
            Self::Loop(resolver) => resolver.lost_file(),
            Self::Mail(_) => None,
        }
    }

    /// Drives the lookup or the waking of waiters behind `token`, a token of kind [`ResolverTask`].
    pub(crate) fn drive(&mut self, token: Token, reactor: &mut Reactor<Mail>) {
        match self {
            Self::Loop(resolver) => resolver.drive(reactor, token),
            Self::Mail(mailed) => mailed.tell(reactor),
        }
    }

    /// Returns all waiters, with the names that they wait for.
    pub(crate) fn waiters(&self) -> Box<dyn Iterator<Item = (&str, Token)> + '_> {
        match self {
            Self::Loop(resolver) => Box::new(resolver.waiters()),
            Self::Mail(mailed) => Box::new(mailed.names.waiters()),
        }
    }

    /// Panics if the cache is inconsistent.
    pub(crate) fn check(&self) {
        match self {
            Self::Loop(resolver) => resolver.check(),
            Self::Mail(mailed) => mailed.names.check(),
        }
    }

    /// Closes all sockets. Legal only once no lookup is needed any more.
    pub(crate) fn close(&mut self, reactor: &mut Reactor<Mail>) {
        if let Self::Loop(resolver) = self {
            resolver.close(reactor);
        }
    }
}

impl Mailed {
    /// Wakes the waiters of answered lookups, at most [`WAKES`]; the rest in the next drive.
    fn tell(&mut self, wake: &mut impl Wake) {
        self.names.told(WAKES).into_iter().for_each(|waiter| wake.wake(waiter));
        if self.names.has_to_tell() {
            wake.wake(self.token);
        }
    }
}

/// Returns the first addresses of each family, as many as a dial would try.
fn some_of_each_family(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut families = [0; 2];
    addresses.retain(|address| {
        let family = &mut families[usize::from(address.is_ipv6())];
        *family += 1;
        *family <= MOST_ADDRESSES
    });
    addresses
}

const fn name_limits(limits: &Limits) -> NameLimits {
    NameLimits {
        answer: limits.name_ttl,
        ttl: (limits.name_ttl_min, limits.name_ttl_max),
        negative: limits.name_negative_ttl,
        failure: limits.name_failure_ttl,
        stale_ttl: limits.name_stale,
        stale_after: limits.name_patience,
        recheck: limits.name_recheck,
        names: limits.names,
        max_in_flight: limits.names_asked,
    }
}

const fn resolver_limits(limits: &Limits) -> ResolverLimits {
    let times = Timeouts { attempt: limits.dns_timeout, total: limits.name_timeout };
    ResolverLimits { names: name_limits(limits), times }
}

/// Derives the key of the resolver from the secret of the process. Other keys are derived from it
/// differently.
fn expanded([first, second]: [u64; 2]) -> [u8; 32] {
    let mut key = *b"tidegate: ids of dns queries ...";
    for (byte, secret) in key.iter_mut().zip([first, second].map(u64::to_le_bytes).as_flattened()) {
        *byte ^= secret;
    }
    key
}
