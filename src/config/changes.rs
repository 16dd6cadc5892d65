//! Differences between two configurations.

use std::fmt;

use super::change_kind::{ChangeKind, of_many, of_one};
use super::listener::ListenerSection;
use super::options::Options;
use super::section_changes::of_sections;
use super::table::OPTIONS;

/// Option or limit whose value differs in another configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the option or limit.
    pub name: &'static str,
    /// Difference of the values.
    pub what: ChangeKind,
    /// True if a running proxy keeps the old value until it is restarted.
    pub takes_restart: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            ChangeKind::Keys { .. } => write!(f, "{}", self.what)?,
            what => write!(f, "{}: {what}", self.name)?,
        }
        if self.takes_restart { f.write_str(" (takes a restart)") } else { Ok(()) }
    }
}

/// Option or limit that is fixed when the process starts.
struct Fixed {
    name: &'static str,
    keep: fn(&mut Options, &Options),
}

const fn fixed(name: &'static str, keep: fn(&mut Options, &Options)) -> Fixed {
    Fixed { name, keep }
}

/// All options and limits that are fixed, because they are opened or started once.
const FIXED: &[Fixed] = &[
    fixed("listen", |new, old| new.listen.clone_from(&old.listen)),
    fixed("listener", |new, old| {
        // What a listener serves, and to whom, can change; the listeners cannot.
        if !new.has_listeners_of(old) {
            new.listeners.clone_from(&old.listeners);
        }
    }),
    fixed("listen-tls", |new, old| new.tls.listen.clone_from(&old.tls.listen)),
    fixed("http-redirect", |new, old| new.tls.redirect.clone_from(&old.tls.redirect)),
    fixed("acme", |new, old| new.acme.certificates.clone_from(&old.acme.certificates)),
    fixed("acme-directory", |new, old| new.acme.directories.clone_from(&old.acme.directories)),
    fixed("acme-staging", |new, old| new.acme.staging.clone_from(&old.acme.staging)),
    fixed("acme-email", |new, old| new.acme.emails.clone_from(&old.acme.emails)),
    fixed("acme-dir", |new, old| new.acme.folder.clone_from(&old.acme.folder)),
    fixed("acme-challenge", |new, old| new.acme.challenge = old.acme.challenge),
    fixed("acme-profile", |new, old| new.acme.profile.clone_from(&old.acme.profile)),
    fixed("acme-eab", |new, old| new.acme.external.clone_from(&old.acme.external)),
    fixed("ban-file", |new, old| new.bans.file.clone_from(&old.bans.file)),
    fixed("ban-nft", |new, old| new.bans.nft.clone_from(&old.bans.nft)),
    fixed("ban-nft-file", |new, old| new.bans.nft_file.clone_from(&old.bans.nft_file)),
    fixed("control", |new, old| new.control.clone_from(&old.control)),
    fixed("admin", |new, old| new.admin = old.admin),
    fixed("user", |new, old| new.user.clone_from(&old.user)),
    fixed("group", |new, old| new.group.clone_from(&old.group)),
    fixed("confine", |new, old| new.confine = old.confine),
    fixed("allow-core-dumps", |new, old| new.core_dumps = old.core_dumps),
    fixed("supervise", |new, old| new.supervise = old.supervise),
    fixed("heartbeat-timeout", |new, old| new.heartbeat_timeout = old.heartbeat_timeout),
    fixed("log-ship", |new, old| new.log.ship.server.clone_from(&old.log.ship.server)),
    fixed("log-ship-label", |new, old| new.log.ship.labels.clone_from(&old.log.ship.labels)),
    fixed("log-ship-tenant", |new, old| new.log.ship.tenant.clone_from(&old.log.ship.tenant)),
    fixed("log-ship-auth", |new, old| new.log.ship.auth.clone_from(&old.log.ship.auth)),
    fixed("log-ship-gzip", |new, old| new.log.ship.gzip = old.log.ship.gzip),
    fixed("log-ship-buffer", |new, old| new.log.ship.buffer = old.log.ship.buffer),
    fixed("log-spool", |new, old| new.log.ship.spool.clone_from(&old.log.ship.spool)),
    fixed("log-spool-size", |new, old| new.log.ship.spool_size = old.log.ship.spool_size),
    fixed("log-buffer", |new, old| new.limits.log_buffer = old.limits.log_buffer),
    fixed("bans", |new, old| new.limits.bans = old.limits.bans),
    fixed("resolver", |new, old| new.resolver = old.resolver),
    fixed("resolver-threads", |new, old| {
        new.limits.resolver_threads = old.limits.resolver_threads;
    }),
    fixed("password-threads", |new, old| {
        new.limits.password_threads = old.limits.password_threads;
    }),
];

/// Options about listeners that have no section.
const OF_COMMON_LISTENERS: &[&str] = &["users", "allow-client", "auth", "realm"];

impl Options {
    /// Returns the changes from these options to `new`, in the order of the tables.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let keeps_common = self.keeps_common_listeners(new);
        let change = |name, what| {
            let takes_restart =
                takes_restart(name) || (!keeps_common && OF_COMMON_LISTENERS.contains(&name));
            Change { name, what, takes_restart }
        };
        for option in OPTIONS {
            let (old, new) = ((option.get)(self), (option.get)(new));
            let what = if option.many {
                of_many(&old, &new)
            } else {
                of_one(&old.concat(), &new.concat())
            };
            changes.extend(what.into_iter().map(|what| change(option.name, what)));
        }
        let limits = self.limits.table().into_iter().zip(new.limits.table());
        for ((name, old, _), (_, new, _)) in limits {
            if !OPTIONS.iter().any(|option| option.name == name) {
                changes.extend(of_one(&old, &new).into_iter().map(|what| change(name, what)));
            }
        }
        for ((name, old), (_, sections)) in self.sections().iter().zip(&new.sections()) {
            let what = of_sections(name, old, sections);
            let takes_restart = *name == "listener" && !self.has_listeners_of(new);
            changes.extend(what.into_iter().map(|what| Change { name, what, takes_restart }));
        }
        changes
    }

    /// Returns true if `new` has the same listeners of sections, whatever they serve.
    fn has_listeners_of(&self, new: &Self) -> bool {
        let fixed = |section: &ListenerSection| {
            (section.places.clone(), section.tls, section.proxy_protocol)
        };
        self.listeners.iter().map(fixed).eq(new.listeners.iter().map(fixed))
    }

    /// Copies from `old` all values that only a restart can change.
    pub fn keep_fixed(&mut self, old: &Self) {
        let is_about_open_ones = old.keeps_common_listeners(self);
        FIXED.iter().for_each(|fixed| (fixed.keep)(self, old));
        if !is_about_open_ones {
            self.clients.clone_from(&old.clients);
            self.auth.files.clone_from(&old.auth.files);
            self.auth.schemes = old.auth.schemes;
            self.auth.realm.clone_from(&old.auth.realm);
        }
    }

    /// Returns true if `new` has all listeners that have no section. If not, its users and clients are not
    /// about those that are open, which stay open until a restart.
    fn keeps_common_listeners(&self, new: &Self) -> bool {
        let new = new.common_listeners();
        self.common_listeners().iter().all(|place| new.contains(place))
    }
}

/// Returns true if the option or limit of this name is fixed when the process starts.
#[must_use]
pub fn takes_restart(name: &str) -> bool {
    FIXED.iter().any(|fixed| fixed.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_file;

    #[test]
    fn open_listeners_keep_users_and_clients_that_are_moved_to_a_section() {
        let common =
            "listen = '127.0.0.1:80'\nusers = 'u'\nallow-client = '192.0.2.1'\nrealm = 'r'\n";
        let moved =
            "[[listener]]\nlisten = '127.0.0.1:80'\nusers = 'u'\n[[site]]\nto = 'http://h'\n";
        let other = format!("listen = '127.0.0.1:81'\n{moved}");
        for new in [moved, &other] {
            let old = options(common);
            let changes = old.changes(&options(new));
            for name in ["listen", "users", "allow-client", "realm"] {
                let change = changes.iter().find(|change| change.name == name);
                assert!(change.is_none_or(|change| change.takes_restart), "{name}: {changes:?}");
            }
            let mut kept = options(new);
            kept.keep_fixed(&old);
            assert_eq!((&kept.auth.files, &kept.clients), (&old.auth.files, &old.clients));
            assert_eq!((&kept.listen, &kept.auth.realm), (&old.listen, &old.auth.realm));
        }
        let mut open = options("listen = '127.0.0.1:80'\n");
        open.keep_fixed(&options(common));
        assert!(open.auth.files.is_empty(), "the listener is the same");
    }

    fn options(text: &str) -> Options {
        let mut options = Options::default();
        read_file(&mut options, "t.toml", text).unwrap();
        options
    }

    fn changes(old: &str, new: &str) -> Vec<String> {
        options(old).changes(&options(new)).iter().map(Change::to_string).collect()
    }

    #[test]
    fn equal_values_are_no_change() {
        assert_eq!(changes("", ""), Vec::<String>::new());
        assert_eq!(changes("", "listen = '127.0.0.1:3128'"), Vec::<String>::new());
        assert_eq!(changes("idle-timeout = '60s'", "idle-timeout = '1m'"), Vec::<String>::new());
    }

    #[test]
    fn each_change_is_one_line() {
        let old = "allow-client = ['192.0.2.1', '192.0.2.2']\nfreshness = ['a min=1s', 'b min=1s']\n\
                   via = 'edge'\nlisten = '127.0.0.1:1'";
        let new = "allow-client = ['192.0.2.2', '192.0.2.3']\nfreshness = ['b min=1s', 'a min=1s']\n\
                   to = 'http://h.test'\nidle-timeout = '5s'\n[limits]\nwindow = '1KiB'\nlog-buffer = '3MiB'";
        let (window, buffer) = (options("").limits.window, options("").limits.log_buffer);
        let shown = |bytes| crate::units::Unit::write(&bytes);
        assert_eq!(
            changes(old, new),
            [
                "listen: - 127.0.0.1:1 (takes a restart)".to_owned(),
                "listen: + 127.0.0.1:3128 (takes a restart)".into(),
                "to: + http://h.test".into(),
                "freshness: in another order".into(),
                "allow-client: - 192.0.2.1 (takes a restart)".into(),
                "allow-client: + 192.0.2.3 (takes a restart)".into(),
                "via: edge -> (none)".into(),
                "idle-timeout: 1m -> 5s".into(),
                format!("window: {} -> 1KiB", shown(window)),
                format!("log-buffer: {} -> 3MiB (takes a restart)", shown(buffer)),
            ]
        );
    }

    #[test]
    fn changes_of_sections_are_told_key_by_key() {
        let app = "[[origin]]\nname = 'web'\nto = ['http://a', 'http://b']\nhealth = '/h'\n";
        let site = "[[site]]\nhosts = 'shop.test'\nto = 'web'\n";
        let route = |path: &str, rest: &str| {
            format!("[[site.route]]\npath = '{path}'\nanswer = '404'\n{rest}")
        };
        let all = |parts: &[&str]| parts.concat();
        for (old, new, expected) in [
            (
                all(&[app, "health-interval = '1s'\n", site]),
                all(&[&app.replace(", 'http://b'", ""), "health-interval = '2s'\n", site]),
                &["origin web: to - http://b; health-interval 1s -> 2s"][..],
            ),
            (
                all(&[&app.replace("health = '/h'\n", ""), site]),
                all(&[app, site]),
                &["origin web: health off -> /h"],
            ),
            (
                all(&[app, "health-interval = '1s'\n", site]),
                all(&[app, site]),
                &["origin web: health-interval 1s -> 5s"],
            ),
            (
                all(&[app, site, &route("/img", "")]),
                all(&[app, site, &route("/images", "")]),
                &["site shop.test, route /img: path - /img; path + /images"],
            ),
            (
                all(&[app, site, &route("/a", ""), &route("/b", "")]),
                all(&[app, site, "cache = 'off'\n", &route("/b", "methods = 'GET'\n")]),
                &["site shop.test: cache (none) -> off; route - path = \"/a\", answer = \"404\"; \
                      route - path = \"/b\", answer = \"404\"; \
                      route + path = \"/b\", methods = \"GET\", answer = \"404\""],
            ),
            (
                all(&[app, site, &route("/a", ""), &route("/b", "")]),
                all(&[app, site, &route("/b", ""), &route("/a", "cache = 'off'\n")]),
                &[
                    "site shop.test: route in another order",
                    "site shop.test, route /a: cache (none) -> off",
                ],
            ),
            (
                all(&[app, site]),
                all(&[app, &site.replace("shop.test", "www.shop.test")]),
                &["site shop.test: hosts - shop.test; hosts + www.shop.test"],
            ),
            (
                all(&[app, site]),
                all(&[app, site, "[[site]]\nanswer = '404'\n"]),
                &["site: + answer = \"404\""],
            ),
            (
                "[[listener]]\nlisten = '127.0.0.1:1'\n".to_owned(),
                "[[listener]]\nlisten = '127.0.0.1:1'\nallow-client = '192.0.2.1'\n".into(),
                &["listener 127.0.0.1:1: allow-client + 192.0.2.1"],
            ),
        ] {
            assert_eq!(changes(&old, &new), expected);
        }
    }

    #[test]
    fn fixed_options_and_limits_are_kept() {
        let old = options("");
        let mut new = options(
            "listen = '127.0.0.1:1'\ncontrol = 'off'\nadmin = '127.0.0.1:2'\nvia = 'x'\n\
             listen-tls = '127.0.0.1:3'\nhttp-redirect = '127.0.0.1:4'\n\
             acme = 'h.test'\nacme-directory = 'https://ca.test/'\nacme-staging = 'https://s.test/'\n\
             acme-email = 'a@h.test'\nacme-dir = '/d'\nacme-challenge = 'http-01'\n\
             acme-profile = 'p'\nacme-eab = '/e'\n\
             ban-file = '/b'\nban-nft = 't s'\nban-nft-file = '/n'\nresolver = 'system'\nuser = 'u'\ngroup = 'g'\nconfine = true\nallow-core-dumps = true\n\
             supervise = true\nheartbeat-timeout = '3s'\n\
             log-ship = 'loki+http://h.test'\nlog-ship-label = 'a=b'\nlog-ship-tenant = 't'\n\
             log-ship-auth = 'basic:/f'\nlog-ship-gzip = false\nlog-ship-buffer = '3MiB'\n\
             log-spool = '/s'\nlog-spool-size = '1MiB'\n\
             [limits]\n\
             log-buffer = '3MiB'\nbans = 7\nresolver-threads = 3\npassword-threads = 3\n\
             [[listener]]\nlisten = '127.0.0.1:5'",
        );
        let restarts = old.changes(&new).iter().filter(|change| change.takes_restart).count();
        assert_eq!(restarts, FIXED.len() + 1, "listen is two lines");
        new.keep_fixed(&old);
        let left: Vec<_> = old.changes(&new).iter().map(Change::to_string).collect();
        assert_eq!(left, ["via: (none) -> x"]);
    }
}
