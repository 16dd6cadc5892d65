//! Checks of sites and groups of origins in a file, each with the place of what is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::suggestion::suggestion;

use super::options::Options;
use super::reverse::route::is_url;
use super::values::{Wrong, scalar, tables};

/// Checks that routes name groups that exist, that groups and sites are valid, and that no two sites
/// have a host in common.
pub(super) fn check(options: &Options, file: &DeTable<'_>) -> Result<(), Wrong> {
    let reverse = &options.reverse;
    let names = reverse.names();
    let origins = places(file, "origin")?;
    for (at, (section, place)) in reverse.origins.iter().zip(&origins).enumerate() {
        if names[..at].contains(&names[at]) {
            return Err((
                place.clone(),
                format!("two origins have the name '{}'", names[at]),
                None,
            ));
        }
        section.settings().map_err(|message| (place.clone(), message, None))?;
    }
    let mut sites = Vec::new();
    if let Some(value) = value_of(file, "site") {
        for (table, place) in tables("site", value)? {
            check_target(table, &names)?;
            if let Some(routes) = value_of(table, "route") {
                for (route, _) in tables("site.route", routes)? {
                    check_target(route, &names)?;
                }
            }
            sites.push(place);
        }
    }
    reverse.check_sites().map_err(|(at, message)| {
        let place = at.and_then(|at| sites.get(at).cloned()).unwrap_or(0..1);
        (place, message, None)
    })
}

/// Returns the places of the tables `[[name]]`.
fn places(file: &DeTable<'_>, name: &str) -> Result<Vec<Range<usize>>, Wrong> {
    let Some(value) = value_of(file, name) else { return Ok(Vec::new()) };
    Ok(tables(name, value)?.into_iter().map(|(_, place)| place).collect())
}

fn value_of<'a, 'b>(table: &'a DeTable<'b>, name: &str) -> Option<&'a Spanned<DeValue<'b>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// Checks that `to` of a site or route names a group that exists.
fn check_target(table: &DeTable<'_>, names: &[&str]) -> Result<(), Wrong> {
    let Some(value) = value_of(table, "to") else { return Ok(()) };
    let to = scalar(value.get_ref()).unwrap_or_default();
    if is_url(&to) || names.contains(&&*to) {
        return Ok(());
    }
    let help = suggestion(&to, names);
    let help = help.or_else(|| Some(format!("add [[origin]] with name = '{to}'")));
    Err((value.span(), format!("there is no origin '{to}'"), help))
}

#[cfg(test)]
mod tests {
    use crate::config::{Options, read_file};

    fn read(text: &str) -> Result<Options, String> {
        let mut options = Options::default();
        let read = read_file(&mut options, "t.toml", text);
        read.map(|()| options).map_err(|error| error.to_string())
    }

    /// Returns the error of a file: of its text, or of the settings that it makes.
    fn error(text: &str) -> String {
        read(text).and_then(|options| options.settings("p")).map(drop).unwrap_err()
    }

    const APP: &str = "[[origin]]\nname = 'app'\nto = 'http://h.test'\n";

    #[test]
    fn wrong_targets_are_shown_with_place_and_suggestion() {
        for (text, place, expected) in [
            ("[[site]]\nto = 'apq'", "t.toml:5:6", "there is no origin 'apq'"),
            ("[[site]]\nto = 'apq'", "t.toml:5:6", "^^^^^"),
            ("[[site]]\nto = 'apq'", "t.toml:5:6", "did you mean 'app'?"),
            ("[[site]]\nto = 'other'", "t.toml:5:6", "add [[origin]] with name = 'other'"),
            ("[[site]]\n[[site.route]]\nto = 'ap'", "t.toml:6:6", "did you mean 'app'?"),
            ("[[site]]\nto = 'http://h/%zz'", "t.toml:5:6", "not a valid path prefix"),
            ("[[site]]\nto = ''", "t.toml:5:6", "expected a URL or the name of an [[origin]]"),
            ("[[site]]\nto = ['app']", "t.toml:5:6", "expected URL|NAME"),
        ] {
            let error = error(&format!("{APP}{text}"));
            assert!(error.contains(place) && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn unknown_keys_of_sections_are_shown_with_place_and_suggestion() {
        for (text, place, expected) in [
            ("[[site]]\nhost-s = 'h'", "t.toml:2:1", "did you mean 'hosts'?"),
            ("[[site]]\nanswr = '404'", "t.toml:2:1", "[[site]] has no key 'answr'"),
            ("[[site]]\n[[site.routes]]\nto = 'x'", "t.toml:2:8", "did you mean 'route'?"),
            ("[[site]]\n[[site.route]]\nhosts = 'h'", "t.toml:3:1", "[[site.route]] has no key"),
            ("[[origin]]\nnam = 'a'", "t.toml:2:1", "did you mean 'name'?"),
            ("[[listener]]\nlistn = 'a'", "t.toml:2:1", "did you mean 'listen'?"),
            ("[[sites]]\nto = 'x'", "t.toml:1:3", "did you mean [[site]]?"),
            ("[[upstream]]\nname = 'x'", "t.toml:1:3", "there is no section [[upstream]]"),
            ("[[upstream]]\nname = 'x'", "t.toml:1:3", "did you mean [[origin]]?"),
            ("[[route]]\npath = '/x'", "t.toml:1:3", "did you mean [[site.route]]?"),
            ("[limit]\nfields = 1", "t.toml:1:2", "did you mean [limits]?"),
            ("[[x]]\na = 1", "t.toml:1:3", "sections are [limits], [[listener]], [[origin]]"),
            ("[[site]]\nlisten = 'a'", "t.toml:2:1", "belongs above the first section"),
            ("[[site]]\nwindow = '1KiB'", "t.toml:2:1", "a limit belongs below [limits]"),
            ("[limits]\nlisten = 'a'", "t.toml:2:1", "belongs above the first section"),
            ("window = '1KiB'", "t.toml:1:1", "a limit belongs below [limits]"),
            ("site = 'x'", "t.toml:1:8", "write a line [[site]], and its keys below"),
            ("[site]\nto = 'x'", "t.toml:1:1", "expected tables [[site]]"),
            ("origin = [1]", "t.toml:1:11", "expected tables [[origin]]"),
        ] {
            let error = error(text);
            assert!(error.contains(place) && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn wrong_sites_are_shown_with_their_place() {
        for (text, place, expected) in [
            ("[[site]]\nhosts = 'h'", "t.toml:4:1", "the site h: it has no route"),
            ("[[site]]\nto = 'app'\nanswer = '404'", "t.toml:4:1", "give one of to, redirect"),
            ("[[site]]\nanswer = '404'\nhost = 'h'", "t.toml:4:1", "work with to only"),
            ("[[site]]\npath = '=/a'\nprefix = '/'\nto = 'app'", "t.toml:4:1", "only a prefix"),
            ("[[site]]\npath = '*.x'\nto = 'http://h/b'", "t.toml:4:1", "only a prefix"),
            (
                "[[site]]\nto = 'app'\n[[site.route]]\nto = 'http://i'",
                "t.toml:4:1",
                "the route '/' is given twice",
            ),
            (
                "[[site]]\nto = 'app'\npath = '/%61'\n[[site.route]]\npath = '/a'\nto = 'app'",
                "t.toml:4:1",
                "is given twice",
            ),
            (
                "[[site]]\nhosts = 'h'\nto = 'app'\n[[site]]\nhosts = 'H.'\nto = 'app'",
                "t.toml:7:1",
                "is given twice",
            ),
            (
                "[[site]]\nhosts = '.h'\nto = 'app'\n[[site]]\nhosts = '*.h'\nto = 'app'",
                "t.toml:7:1",
                "the host '*.h' is given twice",
            ),
            ("[[site]]\nto = 'app'\n[[site]]\nto = 'app'", "t.toml:6:1", "two sites have no hosts"),
            (
                "[[site]]\npath = '*.php'\nallow-client = '192.0.2.1'\nto = 'app'",
                "t.toml:4:1",
                "has clients of its own",
            ),
            (
                "[[site]]\nto = 'app'\nset-response = 'X: {client}'",
                "t.toml:4:1",
                "which only fields of requests may have",
            ),
            (
                "[[site]]\nallow-client = '192.0.2.1'\n[[site.route]]\npath = '*.x'\nto = 'app'",
                "t.toml:4:1",
                "needs a route for all paths",
            ),
            (
                "[[site]]\npath = '=/a'\nredirect = '301 /b{rest}'",
                "t.toml:4:1",
                "{rest} needs a prefix",
            ),
            ("[[site]]\nto = 'app'\nset-request = 'X: {rest}'", "t.toml:4:1", "redirect alone"),
            ("[[site]]\nto = 'app'\nset-response = 'ETag: 1'", "t.toml:4:1", "is a validator"),
            ("[[site]]\nanswer = '200 @/nowhere/x'", "t.toml:4:1", "/nowhere/x: "),
            ("[[site]]\nanswer = '100'", "t.toml:5:10", "is not STATUS"),
            ("[[site]]\nanswer = '600'", "t.toml:5:10", "a status from 200 to 599"),
            ("[[site]]\nanswer = '444'", "t.toml:5:10", "cannot be closed without a response"),
            ("[[site]]\nredirect = '301 https://$host/'", "t.toml:5:12", "are written {client}"),
            ("[[site]]\nredirect = '301 /new/$1'", "t.toml:5:12", "no regular expressions"),
            ("[[site]]\npath = '^/api/(.*)'\nto = 'app'", "t.toml:5:8", "did you mean '/api/'?"),
            ("[[site]]\nredirect = '200 /'", "t.toml:5:12", "none of 301, 302, 303, 307, 308"),
            ("[[site]]\nredirect = '301 /{urj}'", "t.toml:5:12", "urj"),
            ("[[site]]\nhosts = ['h', 'a b']\nto = 'app'", "t.toml:5:15", "a b"),
            (
                "[[site]]\nto = 'app'\nallow-client = []",
                "t.toml:6:16",
                "an empty array sets nothing",
            ),
            (
                "[[listener]]\nlisten = '127.0.0.1:1'\n[[listener]]\nlisten = '127.0.0.1:1'\n\
                 [[site]]\nto = 'app'",
                "",
                "two listeners have the address 127.0.0.1:1",
            ),
            ("[[site]]\nto = 'app'\ncache = '0s'", "t.toml:6:9", "neither on nor off"),
            ("[[site]]\nto = 'app'\nset-request = 'Host: x'", "t.toml:4:1", "Host"),
        ] {
            let error = error(&format!("{APP}{text}"));
            assert!(error.contains(place) && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn wrong_groups_are_shown_with_their_place() {
        for (text, place, expected) in [
            ("to = 'http://a'", "t.toml:3:1", "[[origin]] has no name"),
            ("name = 'a/b'", "t.toml:4:8", "is not a name"),
            ("name = '--to'", "t.toml:4:8", "is not a name"),
            ("name = 'a'", "t.toml:3:1", "the origin 'a' has no members"),
            ("name = 'a'\nto = ['http://a', 'http://A:80']", "t.toml:3:1", "the same member"),
            ("name = 'a'\nto = ['http://a/x', 'http://b/y']", "t.toml:3:1", "different paths"),
            ("name = 'a'\nto = ['http://a', 'http://b/']", "t.toml:3:1", "different paths"),
            ("name = 'a'\nto = ['http://a', 'b']", "t.toml:5:19", "does not begin with http://"),
            ("name = 'a'\nto = 'http://a weight=0'", "t.toml:5:6", "from 1 to 1000"),
            ("name = 'a'\nbalance = 'robin'", "t.toml:5:11", "is none of round-robin"),
            ("name = 'a'\nhash-by = 'ip'", "t.toml:5:11", "is none of url, client"),
            ("name = 'a'\nhash-balance = 50", "t.toml:5:16", "neither 0 nor more than 100"),
            ("name = 'a'\nhealth = 'x'", "t.toml:5:10", "neither a path nor tcp nor off"),
            ("name = 'a'\nhealth-status = '300-200'", "t.toml:5:17", "or a range"),
            ("name = 'a'\nretry-status = [502, 200]", "t.toml:5:22", "from 400 to 599"),
            ("name = 'a'\nqueue-timeout = '0s'", "t.toml:5:17", "1ms or more"),
            ("name = 'a'\nsticky-cookie = 'a b'", "t.toml:5:17", "not the name of a cookie"),
        ] {
            let error = error(&format!("[[site]]\nto = 'a'\n[[origin]]\n{text}"));
            assert!(error.contains(place) && error.contains(expected), "{text}: {error}");
        }
        let twice = error(&format!("{APP}{APP}[[site]]\nto = 'app'"));
        assert!(twice.contains("t.toml:4:1") && twice.contains("two origins"), "{twice}");
    }

    #[test]
    fn errors_of_the_whole_name_the_section() {
        for (text, place, expected) in [
            ("", "t.toml:1:1", "the origin 'app' is used by no site"),
            ("[[site]]\nto = 'http://i'", "t.toml:1:1", "the origin 'app' is used by no route"),
            ("to = 'http://i'\n[[site]]\nanswer = '404'", "t.toml:2:1", "give this one hosts"),
            (
                "[[listener]]\nlisten = '127.0.0.1:1'\nproxy-protocol = 'on'\n[[site]]\nto = 'app'",
                "t.toml:4:1",
                "works with trusted-proxy only",
            ),
            (
                "[[listener]]\nlisten = 'unix:/run/a'\n[[site]]\nto = 'unix:/run/a'\n[[site.route]]\n\
                 path = '/a'\nto = 'app'",
                "t.toml:6:1",
                "is this proxy itself",
            ),
            (
                "[[listener]]\nlisten = '127.0.0.1:1'\nmode = 'reverse'",
                "t.toml:1:1",
                "it has no sites to serve",
            ),
        ] {
            let own = matches!(expected, "give this one hosts" | "it has no sites to serve");
            let error = error(&format!("{}{text}", if own { "" } else { APP }));
            assert!(error.contains(place) && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn members_that_are_this_proxy_are_rejected() {
        for (listen, member) in [
            ("listen = '127.0.0.1:8080'", "http://127.0.0.1:8080"),
            ("listen = '0.0.0.0:8080'\nallow-client = '192.0.2.1'", "http://127.0.0.1:8080"),
            ("[[listener]]\nlisten = '[::1]:80'", "http://[::1]"),
            ("[[listener]]\nlisten = 'unix:/run/a'", "unix:/run/a"),
        ] {
            let error = error(&format!("{listen}\n[[site]]\nto = '{member}'"));
            assert!(error.contains("is this proxy itself"), "{listen}: {error}");
        }
    }

    #[test]
    fn printed_sites_origins_and_listeners_are_read_back_equal() {
        let text = "\
            [[listener]]\nlisten = ['127.0.0.1:8080', 'unix:/run/a mode=660']\nmode = 'reverse'\n\
            allow-client = ['192.0.2.0/24', '2001:db8::1']\nproxy-protocol = 'on'\nrealm = 'r'\n\
            [[listener]]\nlisten = '127.0.0.1:8443'\ntls = 'on'\nmode = 'forward'\nusers = 'u'\n\
            auth = 'digest'\n\
            [[origin]]\nname = 'a'\nto = ['http://a weight=5', 'https://b backup max-requests=7']\n\
            balance = 'hash'\nhash-by = 'cookie:c'\nhash-balance = 150\nsticky-cookie = 's'\n\
            host = 'origin'\nslow-start = '30s'\nhealth = '/h?x'\nhealth-interval = '1s'\n\
            health-timeout = '3s'\nhealth-rise = 4\nhealth-fall = 5\nhealth-jitter = 6\n\
            health-status = '200-204'\nhealth-host = 'h:81'\nmax-failures = 8\neject-time = '9s'\n\
            eject-max = '1m'\nretry-status = [502, 503]\nattempts = 2\nretry-budget = 11\n\
            max-requests = 12\nqueue = 13\nqueue-timeout = '14s'\nproxy-protocol = 'v2'\n\
            [[origin]]\nname = 'b'\nto = 'unix:/run/b'\nhealth = 'tcp'\nbalance = 'two-choices'\n\
            [[site]]\nhosts = ['a.test', '*.b.test', '.c.test']\nto = 'a'\ncache = '5m'\n\
            [[site.route]]\npath = '=/x'\nmethods = ['GET', 'HEAD']\nheader = 'X: \"1\"'\nto = 'b'\n\
            host = 'h.test'\nallow-client = '192.0.2.1'\nset-request = 'A: {uri}'\n\
            add-request = ['B: 1', 'B: 2']\nremove-request = 'C'\nset-response = 'D: \\é'\n\
            add-response = 'E: 1'\nremove-response = ['F', 'G']\nbypass-cookie = 'sid'\n\
            ignore-client-no-cache = 'on'\ndrop-set-cookie = 'on'\n\
            [[site.route]]\npath = '/p'\nprefix = '/q'\nto = 'http://q'\ncache = 'off'\n\
            [[site]]\nredirect = '301 https://{host}{uri}'\n\
            [[site.route]]\npath = '*.txt'\nanswer = '404 no \"such\" page'\n";
        let before = read(text).unwrap();
        let printed = before.to_file();
        let after = read(&printed).unwrap();
        assert_eq!(printed, after.to_file());
        assert_eq!(before.reverse.origins, after.reverse.origins);
        assert_eq!(before.reverse.sites, after.reverse.sites);
        assert_eq!(before.listeners(), after.listeners());
        for line in text.lines().filter(|line| line.contains(" = ")) {
            let (key, value) = line.split_once(" = ").unwrap();
            let value = value.trim_matches(['\'', '[', ']']).split("', '").next().unwrap();
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            let value = value.split(", 503").next().unwrap();
            assert!(printed.contains(&format!("{key} = ")) && printed.contains(value), "{line}");
        }
    }
}
