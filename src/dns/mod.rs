//! Stub resolver (RFC 1034 §5.3.1), sans-IO: names, messages, files, look-ups, and a cache of
//! names.
//!
//! A [`Lookup`] returns the queries to send and takes the messages received. Its driver,
//! `reactor::NameResolver`, owns the sockets, the clock and the secret for its [`Random`] numbers.
//! [`NameCache`] keeps answers for their lifetime, and lets all waiters for one name share one
//! question.

mod attempt;
mod bounds;
mod entry;
mod hosts;
mod known;
mod lookup;
mod message;
mod name;
mod names;
mod problem;
mod question;
mod random;
mod resolution;
mod resolv_conf;
mod servers;

pub use attempt::{DnsTransport, Query};
pub use bounds::{LONGEST_CHAIN, MOST_ADDRESSES};
pub use hosts::{Hosts, is_nowhere};
pub use known::{LookupResult, NameError, NameLimits};
pub use lookup::{Found, Lookup, LookupAction, QUESTIONS, Timeouts};
pub use message::{DATAGRAM, Data, Kind, Malformed, Record, Response, is_bare_format_error, query};
pub use name::{Name, NotAName, is_host_name};
pub use names::{Addresses, CacheAnswer, NameCache};
pub use random::Random;
pub use resolution::Resolution;
pub use resolv_conf::{PORT, ResolvConf};
pub use servers::{Server, ServerObservation, Servers};
