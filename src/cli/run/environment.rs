//! Services that the process provides to its proxy.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;

use crate::config::{Options, ResolverKind};
use crate::proxy::{
    Environment, Lane, LogSink, Mail, Settings, ThreadedJobs, ThreadedResolver, ThreadedVerifier,
};
use crate::reactor::{Reactor, interface_addresses};

use super::allocator::Reclaiming;

/// Most threads that open and read files which the system does not have in memory.
const FILE_THREADS: usize = 8;
/// Most threads of other jobs, which take processor time. The binary has no handlers.
const OTHER_THREADS: usize = 2;

/// Secret random numbers of the process, different in each.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    keys: [u64; 2],
    pub(super) pseudonym: String,
}

impl Secret {
    pub(crate) fn draw() -> io::Result<Self> {
        let mut bytes = [0; 20];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let (keys, name) = bytes.split_at(16);
        let key = |at: usize| keys[at..at + 8].iter().fold(0, |key, &b| key << 8 | u64::from(b));
        let name: String = name.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { keys: [key(0), key(8)], pseudonym: format!("tidegate-{name}") })
    }
}

/// Creates the environment of a proxy on a machine with the given `addresses`.
pub(crate) fn surroundings(
    options: &Options,
    reactor: &Reactor<Mail>,
    log: Box<dyn LogSink>,
    addresses: Option<Vec<IpAddr>>,
    secret: &Secret,
) -> Environment {
    let limits = &options.limits;
    let threaded = || ThreadedResolver::new(limits.resolver_threads, reactor.mailbox());
    let threads = |lane| if lane == Lane::Files { FILE_THREADS } else { OTHER_THREADS };
    Environment {
        resolver: match options.resolver {
            ResolverKind::Loop => None,
            ResolverKind::System => Some(Box::new(threaded())),
        },
        verifier: Box::new(ThreadedVerifier::new(limits.password_threads, reactor.mailbox())),
        jobs: Box::new(ThreadedJobs::new(threads, &reactor.mailbox())),
        reclaimer: Box::new(Reclaiming::new(reactor.mailbox())),
        addresses,
        log,
        secret: secret.keys,
    }
}

/// Returns the addresses of this machine. A forward proxy needs them to recognize destinations that
/// are this machine itself. A reverse proxy does without: `None` if they cannot be read.
///
/// # Errors
/// Fails if a forward proxy cannot read them.
pub(super) fn addresses_of_this_machine(settings: &Settings) -> io::Result<Option<Vec<IpAddr>>> {
    match interface_addresses() {
        Ok(addresses) => Ok(Some(addresses)),
        Err(_) if !settings.forwards() => Ok(None),
        Err(error) => Err(io::Error::other(format!(
            "the addresses of this machine cannot be read: {error}; a sandbox around tidegate has \
             to allow netlink sockets (AF_NETLINK)"
        ))),
    }
}
