//! Every bound and timeout, each with its default, its reason, and what it can be set to.

use std::time::Duration;

use crate::http::{HeadLimits, MAX_FIELDS};
use crate::units::{Bytes, Unit};

macro_rules! limits {
    ($(
        $(#[doc = $reason:literal])+
        $field:ident $name:literal: $type:ty = $default:expr,
            from $least:expr $(, up to $most:expr)?;
    )*) => {
        /// The bounds of a proxy. None can be exceeded by anything a peer does.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Limits { $($(#[doc = $reason])+ pub $field: $type,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// The names of all limits.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// Sets the limit called `name` from text.
            ///
            /// # Errors
            /// What was expected instead; `None` if there is no such limit.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), Option<String>> {
                match name {
                    $($name => {
                        let most: Option<$type> = None$(.or(Some($most)))?;
                        self.$field = bounded(text, &$least, most.as_ref()).map_err(Some)?;
                    })*
                    _ => return Err(None),
                }
                Ok(())
            }

            /// Every limit's name, value and reason.
            #[must_use]
            pub fn table(&self) -> Vec<(&'static str, String, &'static str)> {
                vec![$(($name, Unit::write(&self.$field), concat!($($reason),+).trim_ascii()),)*]
            }
        }
    };
}

fn bounded<T: Unit>(text: &str, least: &T, most: Option<&T>) -> Result<T, String> {
    let value = T::read(text).ok_or_else(|| T::EXPECTED.to_owned())?;
    match most {
        _ if !value.is_at_least(least) => Err(format!("{} or more", least.write())),
        Some(most) if value > *most => Err(format!("{} or less", most.write())),
        _ => Ok(value),
    }
}

/// With no time at all, nothing could ever come in time.
const SHORTEST: Duration = Duration::from_millis(1);

/// No name is known for longer than this.
const LONGEST_TTL: Duration = seconds(7 * 24 * 60 * 60);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn kib(n: u64) -> Bytes {
    Bytes(n * 1024)
}

limits! {
    /// Open clients; beyond, accepting waits. `off` is what the descriptors (RLIMIT_NOFILE) bear.
    max_clients "max-clients": Option<usize> = None, from Some(1);
    /// Open connections of one client: an IPv4 address, or a /64 of IPv6. `off` is as many as are left for
    /// other clients, half of `max-clients` at most. Trusted proxies have no share, nor have clients on this machine unless `share-loopback` is set.
    client_share "client-share": Option<usize> = None, from Some(1);
    /// Memory for all connections together: what was received and not passed on yet. While it is used
    /// up, connections whose client does not go on are closed, those waited for longest first.
    connection_memory "connection-memory": Bytes = kib(256 * 1024), from kib(1024);
    /// Whether clients on this machine have shares as others have. They have none as long as what
    /// stands before the proxy may be one of them.
    share_loopback "share-loopback": bool = false, from false;
    /// A whole request head, from its first byte: one that trickles in holds a connection.
    header_timeout "header-timeout": Duration = seconds(15), from SHORTEST;
    /// A kept-alive client that asks for nothing.
    idle_timeout "idle-timeout": Duration = seconds(60), from SHORTEST;
    /// Between two bytes of a request's content.
    upload_timeout "upload-timeout": Duration = seconds(60), from SHORTEST;
    /// A client that takes no bytes of its response.
    send_timeout "send-timeout": Duration = seconds(60), from SHORTEST;
    /// All attempts to connect to an origin, with the look-up of its name.
    connect_timeout "connect-timeout": Duration = seconds(10), from SHORTEST;
    /// An origin's first byte, and between two of them.
    origin_timeout "origin-timeout": Duration = seconds(60), from SHORTEST;
    /// The head of a response that somebody else has asked for; then a client asks for itself.
    join_timeout "join-timeout": Duration = seconds(15), from SHORTEST;
    /// A reader that holds up others of the same response, which is not kept for it.
    lag_timeout "lag-timeout": Duration = seconds(5), from SHORTEST;
    /// A tunnel in which nothing moves.
    tunnel_timeout "tunnel-timeout": Duration = seconds(15 * 60), from SHORTEST;
    /// Answers in flight when a drain begins.
    drain_timeout "drain-timeout": Duration = seconds(30), from Duration::ZERO;
    /// Between two bytes of a request that was answered before it was whole: they are read and dropped,
    /// since a reset would destroy the answer.
    linger_timeout "linger-timeout": Duration = seconds(2), from Duration::ZERO;
    /// All of such a request: a client that sends for longer is reset, as it holds a connection.
    linger_time "linger-time": Duration = seconds(30), from Duration::ZERO;
    /// Between attempts on the addresses of one name (RFC 8305 §5).
    connect_stagger "connect-stagger": Duration = Duration::from_millis(250), from Duration::from_millis(10);
    /// A look-up over all servers, attempts and domains. Shorter than `connect-timeout`, so that who
    /// asked is told which server was silent.
    name_timeout "name-timeout": Duration = seconds(8), from SHORTEST, up to seconds(50);
    /// One server's answer, unless resolv.conf has `options timeout`; then the next is asked.
    dns_timeout "dns-timeout": Duration = seconds(2), from SHORTEST, up to seconds(50);
    /// How long addresses of a name are kept that the system's resolver has found: it does not say.
    name_ttl "name-ttl": Duration = seconds(30), from Duration::ZERO, up to LONGEST_TTL;
    /// How long addresses are kept at least: with no time at all, each connection would ask again.
    name_ttl_min "name-ttl-min": Duration = seconds(1), from Duration::ZERO, up to LONGEST_TTL;
    /// How long they are kept at most, however long their servers say: who moves does not wait for ever.
    name_ttl_max "name-ttl-max": Duration = seconds(60 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// How long it is kept at most that a name does not exist, or has no address (RFC 2308 §5).
    name_negative_ttl "name-negative-ttl": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// How long it is kept that a name could not be looked up, or that it has no address if nobody
    /// says how long.
    name_failure_ttl "name-failure-ttl": Duration = seconds(5), from Duration::ZERO, up to LONGEST_TTL;
    /// How long addresses that have expired are used on while no server answers (RFC 8767): not so
    /// long that they belong to somebody else.
    name_stale "name-stale": Duration = seconds(60 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// How long servers may take before those are used (RFC 8767 §5).
    name_patience "name-patience": Duration = Duration::from_millis(1800), from Duration::ZERO, up to seconds(50);
    /// How long those are used before servers that failed are asked again (RFC 8767 §5).
    name_recheck "name-recheck": Duration = seconds(30), from Duration::ZERO, up to LONGEST_TTL;
    /// Names kept.
    names "names": usize = 10_000, from 1;
    /// Names asked for at a time, with two sockets each, or by the resolver's threads in turn; of one
    /// client, no more than are free. Beyond, expired addresses serve, or requests fail at once: waiting
    /// in so long a queue they would only fail later.
    names_asked "names-asked": usize = 256, from 1;
    /// Addresses of which it is remembered that they did not answer.
    failed_addresses "failed-addresses": usize = 1000, from 0;
    /// How long that is remembered; they are tried after the others of their name.
    failed_address_ttl "failed-address-ttl": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Origins remembered to have answered in HTTP/1.0: they are sent no chunks.
    old_origins "old-origins": usize = 1000, from 1;
    /// How long that is remembered; an answer in HTTP/1.1 ends it.
    old_origin_ttl "old-origin-ttl": Duration = seconds(60 * 60), from Duration::ZERO;
    /// Threads that wait for the system's resolver.
    resolver_threads "resolver-threads": usize = 4, from 1, up to 64;
    /// Passwords that are verified at a time, with those that wait for a thread, and half as many of
    /// one client; beyond, requests with other ones fail at once.
    passwords "passwords": usize = 64, from 1;
    /// Threads that verify passwords: a hash may take one for a tenth of a second.
    password_threads "password-threads": usize = 2, from 1, up to 64;
    /// How long a client waits until its password is verified.
    password_timeout "password-timeout": Duration = seconds(10), from SHORTEST;
    /// The request line. RFC 9112 §3 asks for 8,000 octets at least.
    request_line "request-line": Bytes = Bytes(8 * 1024 + 64), from Bytes(128);
    /// One field line.
    field "field": Bytes = kib(8), from Bytes(128);
    /// Field lines of a message.
    fields "fields": usize = 128, from 16, up to MAX_FIELDS;
    /// A whole head, or a trailer section.
    head "head": Bytes = kib(64), from kib(1);
    /// All chunk extensions of a message.
    chunk_extensions "chunk-extensions": Bytes = kib(4), from Bytes(0);
    /// Set if targets may hold `"<>`, which no URL may and some programs send.
    relaxed_target "relaxed-target": bool = false, from false;
    /// Interim responses to one request; together, they are no larger than one head may be.
    interims "interims": usize = 16, from 0;
    /// The content of one request.
    upload "upload": Option<Bytes> = None, from Some(Bytes(0));
    /// How far one side of an exchange may be read ahead of the other.
    window "window": Bytes = kib(128), from kib(1);
    /// Content of a request up to which it is kept to be sent again.
    replay "replay": Bytes = kib(64), from Bytes(0);
    /// Idle connections to one origin.
    origin_idle "origin-idle": usize = 512, from 0;
    /// Idle connections to all origins. `off` is one for every four descriptors (RLIMIT_NOFILE), at
    /// most 2048.
    pool "pool": Option<usize> = None, from Some(0);
    /// How long a connection to an origin is kept idle.
    pool_idle "pool-idle": Duration = seconds(30), from Duration::ZERO;
    /// How long a connection rests after a response that announced content it does not have (HEAD,
    /// 304): a faulty origin sends the content a moment later, where the next response is expected.
    pool_rest "pool-rest": Duration = Duration::from_millis(100), from Duration::ZERO;
    /// How long no connection to an origin is reused that has sent bytes no request asked for.
    origin_suspect "origin-suspect": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// How old a connection to an origin may become.
    pool_age "pool-age": Duration = seconds(60 * 60), from Duration::ZERO;
    /// How long requests for a key whose response could not be stored do not wait for each other.
    hit_for_miss "hit-for-miss": Duration = seconds(30), from Duration::ZERO;
    /// Responses of one URL that `Vary` keeps apart; beyond, the one used least recently goes.
    variants "variants": usize = 1024, from 1, up to 4096;
    /// How long a stale response is served while its origin cannot be reached, if it does not say
    /// itself (`stale-if-error`).
    stale_if_unreachable "stale-if-unreachable": Duration = seconds(24 * 60 * 60), from Duration::ZERO;
    /// How far ahead of what has come a range of it may begin that is waited for; beyond, it is asked
    /// for itself.
    range_ahead "range-ahead": Bytes = kib(1024), from Bytes(0);
    /// Ranges are widened to multiples of this when they are fetched to be stored, so that their
    /// neighbours are there, too. `off` asks for what was asked for.
    range_slice "range-slice": Option<Bytes> = None, from Some(kib(4));
    /// Content that is still fetched to be stored when nobody reads it any more.
    finish "finish": Bytes = kib(64), from Bytes(0);
    /// How long that may take: nobody waits for it, and it holds a connection.
    finish_timeout "finish-timeout": Duration = seconds(5), from SHORTEST;
    /// Access log lines that wait for a slow disk; beyond, they are dropped and counted.
    log_buffer "log-buffer": Bytes = kib(1024), from kib(4);
}

impl Limits {
    /// What bounds a message head.
    #[must_use]
    pub fn of_heads(&self) -> HeadLimits {
        let size = |bytes: Bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX);
        HeadLimits {
            start_line: size(self.request_line),
            field: size(self.field),
            fields: self.fields.min(MAX_FIELDS),
            head: size(self.head),
            chunk_extensions: size(self.chunk_extensions),
            relaxed_target: self.relaxed_target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_set_by_the_text_that_the_table_shows() {
        let mut limits = Limits::default();
        for (name, text, reason) in limits.table() {
            assert_eq!(limits.set(name, &text), Ok(()), "{name}");
            assert!(reason.ends_with('.'), "{name} has a reason");
        }
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.set("nonsense", "1"), Err(None));
        assert_eq!(limits.set("idle-timeout", "soon"), Err(Some(Duration::EXPECTED.into())));
    }

    #[test]
    fn no_limit_can_be_set_so_that_nothing_works() {
        let mut limits = Limits::default();
        for (name, text, expected) in [
            ("window", "0B", "1KiB or more"),
            ("fields", "0", "16 or more"),
            ("fields", "600", "512 or less"),
            ("head", "0B", "1KiB or more"),
            ("names", "0", "1 or more"),
            ("max-clients", "0", "1 or more"),
            ("idle-timeout", "0s", "1ms or more"),
            ("resolver-threads", "1000", "64 or less"),
        ] {
            assert_eq!(limits.set(name, text), Err(Some(expected.into())), "{name}");
        }
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.set("max-clients", "off"), Ok(()));
    }

    #[test]
    fn the_defaults_of_the_parser_are_those_of_the_proxy() {
        assert_eq!(Limits::default().of_heads(), HeadLimits::default());
    }
}
