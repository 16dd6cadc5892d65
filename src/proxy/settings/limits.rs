//! Bounds and timeouts, each with its default, its range and a description for operators.

use std::time::Duration;

use crate::http::{HeadLimits, MAX_FIELDS};
use crate::units::{Bytes, Unit};

macro_rules! limits {
    ($(
        $(#[doc = $reason:literal])+
        $field:ident $name:literal: $type:ty = $default:expr,
            from $least:expr $(, up to $most:expr)?;
    )*) => {
        /// The bounds and timeouts of a proxy. No peer can exceed them.
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
            /// Returns the expected form or range if the value is invalid, `None` if there is no
            /// such limit.
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

            /// Returns the name, value and description of each limit.
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

/// Shortest timeout: with none at all, every wait would fail.
const SHORTEST: Duration = Duration::from_millis(1);

/// Longest time for which an answer about a name, an address or an origin is kept.
const LONGEST_TTL: Duration = seconds(7 * 24 * 60 * 60);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn kib(n: u64) -> Bytes {
    Bytes(n * 1024)
}

limits! {
    /// Open client connections. Beyond, new ones wait to be accepted. `off`: as many as the file
    /// descriptors (RLIMIT_NOFILE) allow.
    max_clients "max-clients": Option<usize> = None, from Some(1);
    /// Open connections of one client: an IPv4 address, or a /64 of IPv6. Beyond, idle connections
    /// of the client are closed, or new ones refused. `off`: as many as remain free for other
    /// clients, at most half of `max-clients`. Trusted proxies have no share, nor have clients on
    /// this machine unless `share-loopback` is set.
    client_share "client-share": Option<usize> = None, from Some(1);
    /// Memory of all connections together: data received and not yet passed on. Once it is used up,
    /// stalled connections are closed: first those of the clients that have most, among these the
    /// ones stalled longest.
    connection_memory "connection-memory": Bytes = kib(256 * 1024), from kib(1024);
    /// Gives clients on this machine shares, as other clients have. Off, since a server in front of
    /// the proxy may be one of them and bring many users.
    share_loopback "share-loopback": bool = false, from false;
    /// Clients remembered for each limit of requests or bytes by time. Beyond, the client seen least
    /// recently is forgotten, and may use a whole burst again.
    limited_clients "limited-clients": usize = 65_536, from 1;
    /// Bans in force, and clients whose offences are counted. Beyond, the ban that ends first makes
    /// room, and the client whose last offence is the oldest is forgotten.
    bans "bans": usize = 10_000, from 1;
    /// Time for a whole request head, from its first byte. After that, the request fails with 408:
    /// a head that trickles in holds a connection. A new connection that sends nothing is closed
    /// after as long.
    header_timeout "header-timeout": Duration = seconds(15), from SHORTEST;
    /// Time between two requests of a kept-alive client connection. After that, the connection is
    /// closed.
    idle_timeout "idle-timeout": Duration = seconds(60), from SHORTEST;
    /// Time between two bytes of a request's content. After that, the request fails with 408.
    upload_timeout "upload-timeout": Duration = seconds(60), from SHORTEST;
    /// Time in which a client takes no byte of its response. After that, the connection is closed.
    send_timeout "send-timeout": Duration = seconds(60), from SHORTEST;
    /// Time to connect to an origin: the name lookup and all attempts together. After that, the
    /// request fails with 504.
    connect_timeout "connect-timeout": Duration = seconds(10), from SHORTEST;
    /// Time until the first byte of an origin's response, and between two of its bytes; also time
    /// in which an origin takes no byte of a request. After that, the request fails with 504, or
    /// the response is cut short.
    origin_timeout "origin-timeout": Duration = seconds(60), from SHORTEST;
    /// Time until the response head of a fetch that another request has begun. After that, a
    /// request that joined the fetch begins its own.
    join_timeout "join-timeout": Duration = seconds(15), from SHORTEST;
    /// Time for which a reader may hold up the other readers of a response that is not stored.
    /// After that, the reader's connection is closed.
    lag_timeout "lag-timeout": Duration = seconds(5), from SHORTEST;
    /// Time in which no byte moves in a tunnel. After that, the tunnel is closed.
    tunnel_timeout "tunnel-timeout": Duration = seconds(15 * 60), from SHORTEST;
    /// Time for exchanges in flight to finish once a drain begins. After that, the remaining ones
    /// are cut off.
    drain_timeout "drain-timeout": Duration = seconds(30), from Duration::ZERO;
    /// Time between two bytes of a request that was answered before it was complete. The rest of
    /// the request is read and dropped (lingering close), since a reset would destroy the response.
    /// After that, the connection is closed.
    linger_timeout "linger-timeout": Duration = seconds(2), from Duration::ZERO;
    /// Time for a whole lingering close. After that, a client that still sends is reset: it holds a
    /// connection.
    linger_time "linger-time": Duration = seconds(30), from Duration::ZERO;
    /// Time between connection attempts to the addresses of one name (RFC 8305 §5).
    connect_stagger "connect-stagger": Duration = Duration::from_millis(250), from Duration::from_millis(10);
    /// Time for one name lookup, over all servers, attempts and search domains. Shorter than
    /// `connect-timeout`, so that the client is told which server did not answer.
    name_timeout "name-timeout": Duration = seconds(8), from SHORTEST, up to seconds(50);
    /// Time for one name server's answer, unless resolv.conf has `options timeout`. After that, the
    /// next server is asked.
    dns_timeout "dns-timeout": Duration = seconds(2), from SHORTEST, up to seconds(50);
    /// Time for which addresses from the system's resolver are kept, which gives no TTL.
    name_ttl "name-ttl": Duration = seconds(30), from Duration::ZERO, up to LONGEST_TTL;
    /// Least time for which addresses are kept, even if their TTL is shorter: with no time at all,
    /// each connection would look its name up again.
    name_ttl_min "name-ttl-min": Duration = seconds(1), from Duration::ZERO, up to LONGEST_TTL;
    /// Most time for which addresses are kept, even if their TTL is longer, so that an origin that
    /// moves is found in the end.
    name_ttl_max "name-ttl-max": Duration = seconds(60 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Most time for which it is remembered that a name does not exist, or has no address (RFC 2308
    /// §5).
    name_negative_ttl "name-negative-ttl": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Time for which it is remembered that a lookup has failed, or that a name has no address if
    /// the answer gives no TTL.
    name_failure_ttl "name-failure-ttl": Duration = seconds(5), from Duration::ZERO, up to LONGEST_TTL;
    /// Time for which expired addresses are used while no name server answers (RFC 8767): not so
    /// long that they belong to another host.
    name_stale "name-stale": Duration = seconds(60 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Time that name servers have to answer before expired addresses are used (RFC 8767 §5).
    name_patience "name-patience": Duration = Duration::from_millis(1800), from Duration::ZERO, up to seconds(50);
    /// Time for which expired addresses are used before servers that failed are asked again (RFC
    /// 8767 §5).
    name_recheck "name-recheck": Duration = seconds(30), from Duration::ZERO, up to LONGEST_TTL;
    /// Names whose addresses are kept. Beyond, the name used least recently is dropped.
    names "names": usize = 10_000, from 1;
    /// Names looked up at a time, with two sockets each, or by the resolver's threads in turn; by
    /// one client, no more than remain free. Beyond, expired addresses are used, or requests fail
    /// at once: in so long a queue they would only fail later.
    names_asked "names-asked": usize = 256, from 1;
    /// Addresses remembered for failed connection attempts: they are tried after the others of
    /// their name. Beyond, the oldest is forgotten.
    failed_addresses "failed-addresses": usize = 1000, from 0;
    /// Time for which an address that failed is remembered and tried last.
    failed_address_ttl "failed-address-ttl": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Origins remembered to speak HTTP/1.0: they are sent no chunked content. Beyond, the one
    /// remembered longest is forgotten.
    old_origins "old-origins": usize = 1000, from 1;
    /// Time for which it is remembered that an origin speaks HTTP/1.0. A response in HTTP/1.1 ends
    /// it.
    old_origin_ttl "old-origin-ttl": Duration = seconds(60 * 60), from Duration::ZERO;
    /// Threads that call the system's resolver.
    resolver_threads "resolver-threads": usize = 4, from 1, up to 64;
    /// Passwords being verified or waiting for a thread, at most half of them of one client.
    /// Beyond, requests with other passwords fail at once.
    passwords "passwords": usize = 64, from 1;
    /// Threads that verify passwords: a hash may occupy one for a tenth of a second.
    password_threads "password-threads": usize = 2, from 1, up to 64;
    /// Time until the password of a request is verified. After that, the request fails with 503.
    password_timeout "password-timeout": Duration = seconds(10), from SHORTEST;
    /// Size of a request line or a status line. Beyond, the message is refused. RFC 9112 §3
    /// recommends at least 8,000 octets.
    request_line "request-line": Bytes = Bytes(8 * 1024 + 64), from Bytes(128);
    /// Size of one field line. Beyond, the message is refused.
    field "field": Bytes = kib(8), from Bytes(128);
    /// Field lines of one message. Beyond, the message is refused.
    fields "fields": usize = 128, from 16, up to MAX_FIELDS;
    /// Size of a whole head, or of a trailer section. Beyond, the message is refused.
    head "head": Bytes = kib(64), from kib(1);
    /// Size of all chunk extensions of one message, in excess of the size of its content. A message
    /// with more is refused.
    chunk_extensions "chunk-extensions": Bytes = kib(4), from Bytes(0);
    /// Accepts `"<>` in targets: no URL may contain them, and some programs send them.
    relaxed_target "relaxed-target": bool = false, from false;
    /// Interim (1xx) responses to one request, and `head` bytes of them together. Beyond, the
    /// request fails with 502.
    interims "interims": usize = 16, from 0;
    /// Content of one request. Beyond, the request fails with 413.
    upload "upload": Option<Bytes> = None, from Some(Bytes(0));
    /// Content by which one side of an exchange may be read ahead of the other. Beyond, reading
    /// pauses.
    window "window": Bytes = kib(128), from kib(1);
    /// Largest content of a request that is kept, to be sent again if the origin has closed a
    /// reused connection.
    replay "replay": Bytes = kib(64), from Bytes(0);
    /// Idle connections kept to one origin. Beyond, a connection is closed after its response.
    origin_idle "origin-idle": usize = 512, from 0;
    /// Idle connections kept to all origins. Beyond, a connection is closed after its response.
    /// `off`: one for every four file descriptors (RLIMIT_NOFILE), at most 2048.
    pool "pool": Option<usize> = None, from Some(0);
    /// Time for which an idle connection to an origin is kept.
    pool_idle "pool-idle": Duration = seconds(30), from Duration::ZERO;
    /// Time before a connection is reused after a response that announced content it does not have
    /// (HEAD, 304): a faulty origin sends the content a moment later, where the next response is
    /// expected.
    pool_rest "pool-rest": Duration = Duration::from_millis(100), from Duration::ZERO;
    /// Time for which no connection to an origin is reused after the origin has sent bytes that no
    /// request asked for.
    origin_suspect "origin-suspect": Duration = seconds(5 * 60), from Duration::ZERO, up to LONGEST_TTL;
    /// Age up to which a connection to an origin is reused.
    pool_age "pool-age": Duration = seconds(60 * 60), from Duration::ZERO;
    /// Time for which requests for a key are not collapsed after a response for it could not be
    /// stored.
    hit_for_miss "hit-for-miss": Duration = seconds(30), from Duration::ZERO;
    /// Stored responses of one URL that `Vary` distinguishes. Beyond, the one used least recently
    /// is dropped.
    variants "variants": usize = 1024, from 1, up to 4096;
    /// Time for which a stale response is served while its origin cannot be reached, unless the
    /// response has its own (`stale-if-error`).
    stale_if_unreachable "stale-if-unreachable": Duration = seconds(24 * 60 * 60), from Duration::ZERO;
    /// Distance from the bytes received to the start of a range, up to which the range is served
    /// from a fetch in flight. Beyond, it is fetched on its own.
    range_ahead "range-ahead": Bytes = kib(1024), from Bytes(0);
    /// Size to whose multiples a range is widened when it is fetched to be stored, so that
    /// neighbouring ranges are stored, too. `off`: ranges are not widened.
    range_slice "range-slice": Option<Bytes> = None, from Some(kib(4));
    /// Missing content up to which a response is still fetched to be stored when no client reads it
    /// any more.
    finish "finish": Bytes = kib(64), from Bytes(0);
    /// Time to fetch the rest of a response that no client reads any more, of `finish` bytes at
    /// most: the fetch holds a connection.
    finish_timeout "finish-timeout": Duration = seconds(5), from SHORTEST;
    /// Access log lines that wait for a slow disk. Beyond, lines are dropped and counted.
    log_buffer "log-buffer": Bytes = kib(1024), from kib(4);
}

impl Limits {
    /// Returns the limits of message heads and chunk extensions.
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
    fn limits_accept_the_values_that_the_table_shows() {
        let mut limits = Limits::default();
        for (name, text, reason) in limits.table() {
            assert_eq!(limits.set(name, &text), Ok(()), "{name}");
            assert!(reason.ends_with('.'), "{name} is described by sentences");
        }
        assert_eq!(limits, Limits::default());
        assert_eq!(limits.set("nonsense", "1"), Err(None));
        assert_eq!(limits.set("idle-timeout", "soon"), Err(Some(Duration::EXPECTED.into())));
    }

    #[test]
    fn limits_reject_values_out_of_range() {
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
    fn defaults_of_heads_equal_those_of_the_parser() {
        assert_eq!(Limits::default().of_heads(), HeadLimits::default());
    }
}
