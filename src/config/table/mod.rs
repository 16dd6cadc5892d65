//! Table of options. Each row is an option of the command line and a key of the file.

mod access;
mod acme;
mod auth;
mod cache;
mod compression;
mod dns;
mod limits;
mod listen;
mod logging;
mod operation;
mod permissions;
mod process;
mod shipping;
mod spec;
mod throttle;
mod tls;
pub(super) mod value;

pub use spec::OptionSpec;

/// All options, in the order of `--help`.
pub const OPTIONS: &[OptionSpec] = &joined();

/// Groups of options, in the order of `--help`.
const GROUPS: [&[OptionSpec]; 15] = [
    listen::LISTEN,
    tls::TLS,
    acme::ACME,
    cache::CACHE,
    compression::COMPRESSION,
    access::ACCESS,
    auth::AUTH,
    permissions::PERMISSIONS,
    throttle::THROTTLE,
    operation::OPERATION,
    logging::LOGGING,
    shipping::SHIPPING,
    process::PROCESS,
    dns::DNS,
    limits::LIMITS,
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Returns the options of all groups in one table. A loop over a range is not const.
const fn joined() -> [OptionSpec; COUNT] {
    let mut table = [GROUPS[0][0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            table[at] = GROUPS[group][row];
            (at, row) = (at + 1, row + 1);
        }
        group += 1;
    }
    table
}

impl OptionSpec {
    /// Returns the option called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::options::Options;

    use super::*;

    #[test]
    fn every_printed_value_can_be_set() {
        let mut options = Options::default();
        for (name, text) in [
            ("listen", "[::1]:0"),
            ("to", "https://h.test/base weight=2"),
            ("to", "https://i.test/base backup"),
            ("route", "=/api/=http://h.test:81"),
            ("folder", "/tmp"),
            ("listing", "on"),
            ("fallback", "index.html"),
            ("precompressed", "on"),
            ("balance", "least-requests"),
            ("health", "/healthz"),
            ("listen-tls", "127.0.0.1:8443"),
            ("http-redirect", "127.0.0.1:8080"),
            ("tls-cert", "/etc/tidegate/a.pem"),
            ("tls-key", "/etc/tidegate/a.key"),
            ("client-ca", "/etc/tidegate/clients.pem"),
            ("hsts", "8760h"),
            ("acme", "www.h.test,192.0.2.1"),
            ("acme-directory", "https://ca.test/directory"),
            ("acme-staging", "https://staging.ca.test/directory"),
            ("acme-email", "ops@h.test"),
            ("acme-dir", "/var/lib/tidegate"),
            ("acme-challenge", "tls-alpn-01"),
            ("acme-profile", "shortlived"),
            ("acme-eab", "/etc/tidegate/eab"),
            ("origin-ca", "/etc/tidegate/origins.pem"),
            ("origin-cert", "/etc/tidegate/own.pem"),
            ("origin-key", "/etc/tidegate/own.key"),
            ("origin-insecure", "h.test"),
            ("origin-sni", "app.test"),
            ("cache-object-max", "1MiB"),
            ("targeted-cache-control", "off"),
            ("vary-language", "preferred"),
            ("vary-encoding", "equal"),
            ("key-drop-query", "tracking,x*"),
            ("key-keep-query", "q"),
            ("freshness", "h.test/x status=404 default=10s"),
            ("compress", "br,gzip"),
            ("compress-min-length", "2KiB"),
            ("compress-types", "text/*"),
            ("compress-types", "*+json"),
            ("compress-private", "on"),
            ("allow-destination", "h.test=10.0.0.0/8"),
            ("rule", "deny *.test client=192.0.2.0/24"),
            ("rule", "@/etc/tidegate/rules"),
            ("rule-default", "deny"),
            ("geoip", "/var/lib/geoip/countries.mmdb"),
            ("rule-report", "on"),
            ("allow-client", "192.0.2.0/24"),
            ("users", "/etc/tidegate/users"),
            ("auth", "basic"),
            ("realm", "an office"),
            ("protect", "/admin realm=\"the staff\" users=/etc/tidegate/staff auth=digest"),
            ("userhash", "on"),
            ("auth-ban", "off"),
            ("allow-purge", "127.0.0.1"),
            ("request-rate", "600/m burst=50 by=network"),
            ("bandwidth", "1MiB/s burst=4MiB"),
            ("ban", "after 20 of 401,403 within 1m by /24 -> drop for 10m"),
            ("ban-allow", "192.0.2.0/24"),
            ("ban-file", "/var/lib/tidegate/bans"),
            ("ban-nft", "filter tidegate"),
            ("ban-nft-file", "/var/lib/tidegate/bans.nft"),
            ("trusted-proxy", "::1"),
            ("allow-upgrade", "SPDY/3.1"),
            ("via", "edge-1"),
            ("syslog-facility", "local3"),
            ("log-rotate-size", "10MiB"),
            ("log-rotate-keep", "3"),
            ("log-ship", "loki+http://[::1]:3100/push"),
            ("log-ship-label", "env=prod"),
            ("log-ship-tenant", "team-a"),
            ("log-ship-auth", "bearer:/etc/tidegate/token"),
            ("log-ship-gzip", "off"),
            ("log-ship-buffer", "4MiB"),
            ("log-spool", "/var/spool/tidegate"),
            ("log-spool-size", "1GiB"),
            ("control", "/run/t.sock"),
            ("admin", "127.0.0.1:9100"),
            ("user", "www-data"),
            ("group", "33"),
            ("confine", "on"),
            ("supervise", "on"),
            ("heartbeat-timeout", "3s"),
            ("dns-server", "[::1]:5353"),
            ("hosts", "/etc/hosts"),
            ("max-clients", "100"),
        ] {
            (OptionSpec::find(name).unwrap().set)(&mut options, text).unwrap();
        }
        for option in OPTIONS {
            let values = (option.get)(&options);
            assert!(!values.is_empty(), "{}", option.name);
            let mut other = Options::default();
            values.iter().for_each(|value| (option.set)(&mut other, value).unwrap());
            assert_eq!((option.get)(&other), values, "{}", option.name);
        }
    }
}
