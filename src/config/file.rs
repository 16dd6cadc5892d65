//! Configuration file: TOML with the names of options, and a table of limits.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnose::ConfigError;
use super::listener::{LISTENER, ListenerSection};
use super::options::Options;
use super::place::Place;
use super::protect::Protect;
use super::reverse::origin::ORIGIN;
use super::reverse::route_keys::ROUTE;
use super::reverse::site::{SITE, SiteSection};
use super::section::Key;
use super::sites;
use super::table::OptionSpec;
use super::unknown;
use super::values::{Wrong, scalar, tables, values};

/// Reads `text`, the content of the file `name`, into `options`.
///
/// # Errors
/// The first error, with its place.
pub fn read_file(options: &mut Options, name: &str, text: &str) -> Result<(), ConfigError> {
    read_entries(options, name, text).map_err(|(span, message, help)| ConfigError {
        file: name.to_owned(),
        text: text.to_owned(),
        first_line: 1,
        span,
        message,
        help,
    })
}

fn read_entries(options: &mut Options, name: &str, text: &str) -> Result<(), Wrong> {
    let table = DeTable::parse(text).map_err(|toml| {
        let span = toml.span().unwrap_or(0..text.len().min(1));
        (span, toml.message().to_owned(), None)
    })?;
    for (key, value) in table.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("limits", DeValue::Table(limits)) => read_limits(options, limits)?,
            ("limits", _) => {
                let help = "write limits below a line [limits], each as name = value";
                let message = "expected a table of limits".to_owned();
                return Err((value.span(), message, Some(help.into())));
            }
            ("origin", _) => {
                for (table, place) in tables("origin", value)? {
                    options.reverse.origins.push(section(ORIGIN, "origin", table)?);
                    options.reverse.origin_places.push(Place::of(name, text, &place));
                    let section =
                        options.reverse.origins.last().filter(|section| !section.has_name());
                    if section.is_some() {
                        let help = "add name = 'app', by which routes name the group".to_owned();
                        return Err((place, "[[origin]] has no name".into(), Some(help)));
                    }
                }
            }
            ("listener", _) => {
                for (table, place) in tables("listener", value)? {
                    let listener: ListenerSection = section(LISTENER, "listener", table)?;
                    let at = Some(Place::of(name, text, &place));
                    options.listeners.push(ListenerSection { at, ..listener });
                    let section =
                        options.listeners.last().filter(|section| section.places.is_empty());
                    if section.is_some() {
                        let help = "add listen = '127.0.0.1:8080'".to_owned();
                        return Err((
                            place,
                            "[[listener]] has no place to listen at".into(),
                            Some(help),
                        ));
                    }
                }
            }
            ("site", _) => {
                for (table, place) in tables("site", value)? {
                    options.reverse.sites.push(site(table)?);
                    options.reverse.site_places.push(Place::of(name, text, &place));
                }
            }
            ("protect", DeValue::Array(rules))
                if rules.iter().all(|rule| rule.get_ref().is_table()) =>
            {
                for rule in rules {
                    let DeValue::Table(table) = rule.get_ref() else { continue };
                    options.auth.protect.push(protect(table, rule.span())?);
                }
            }
            (name, value) if name != "protect" && unknown::is_section(value) => {
                return Err(unknown::section(name, key.span()));
            }
            (key_name, _) => {
                let option = unknown::option(key_name, key.span())?;
                for value in values(value, option.many) {
                    set_option(options, option, value)?;
                    if option.name == "rule" {
                        let line = 1 + text[..value.span().start].matches('\n').count();
                        options.rules.place_last(name, line);
                    }
                }
            }
        }
    }
    sites::check(options, table.get_ref())
}

/// Reads the keys of a table `[[name]]`.
fn section<T: Default>(keys: &[Key<T>], name: &str, table: &DeTable<'_>) -> Result<T, Wrong> {
    let mut section = T::default();
    for (key, value) in table {
        if !set_key(keys, &mut section, key, value)? {
            return Err(unknown::key(key, name, keys.iter().map(|key| key.name)));
        }
    }
    Ok(section)
}

/// Sets one key of a section. Returns false if the section has no such key.
fn set_key<T>(
    keys: &[Key<T>],
    section: &mut T,
    name: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<bool, Wrong> {
    let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) else {
        return Ok(false);
    };
    let values = values(value, key.many);
    if values.is_empty() {
        // 'allow-client = []' can be read as 'no client' and as 'all clients'.
        let help = "leave the key out to have its default".to_owned();
        return Err((value.span(), "an empty array sets nothing".to_owned(), Some(help)));
    }
    for value in values {
        let wrong = |message| (value.span(), message, None);
        let text = scalar(value.get_ref());
        let text = text.ok_or_else(|| wrong(format!("expected {}", key.value)))?;
        (key.set)(section, &text).map_err(wrong)?;
    }
    Ok(true)
}

/// Reads a table `[[site]]` and its routes.
fn site(table: &DeTable<'_>) -> Result<SiteSection, Wrong> {
    let mut site = SiteSection::default();
    for (key, value) in table {
        if key.get_ref() == "route" {
            for (table, _) in tables("site.route", value)? {
                site.routes.push(section(ROUTE, "site.route", table)?);
            }
        } else if !set_key(SITE, &mut site, key, value)?
            && !set_key(ROUTE, &mut site.rest, key, value)?
        {
            let known = SITE.iter().map(|key| key.name).chain(ROUTE.iter().map(|key| key.name));
            return Err(unknown::key(key, "site", known.chain(["route"])));
        }
    }
    Ok(site)
}

fn read_limits(options: &mut Options, limits: &DeTable<'_>) -> Result<(), Wrong> {
    for (key, value) in limits {
        let (name, text) = (key.get_ref().as_ref(), scalar(value.get_ref()));
        match text.map(|text| options.limits.set(name, &text)) {
            Some(Ok(())) => {}
            Some(Err(None)) => return Err(unknown::limit(name, key.span())),
            Some(Err(Some(expected))) => {
                return Err((value.span(), format!("expected {expected}"), None));
            }
            None => return Err((value.span(), "expected one value".into(), None)),
        }
    }
    Ok(())
}

fn set_option(
    options: &mut Options,
    option: &OptionSpec,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), Wrong> {
    let wrong = |message| (value.span(), message, None);
    let text = scalar(value.get_ref());
    let text = text.ok_or_else(|| wrong(format!("expected {}", option.value)))?;
    (option.set)(options, &text).map_err(wrong)
}

/// Reads a table `[[protect]]`, which stands at `place`.
fn protect(table: &DeTable<'_>, place: Range<usize>) -> Result<Protect, Wrong> {
    let Some((_, path)) = table.iter().find(|(key, _)| key.get_ref() == "path") else {
        let help = "add one, such as path = '/admin'".to_owned();
        return Err((place, "[[protect]] has no path".into(), Some(help)));
    };
    let text = scalar(path.get_ref()).unwrap_or_default();
    let mut protect = Protect::new(text.parse().map_err(|message| (path.span(), message, None))?);
    for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != "path") {
        let name = key.get_ref().as_ref();
        if !Protect::NAMES.contains(&name) {
            let known = ["path"].into_iter().chain(Protect::NAMES.iter().copied());
            return Err(unknown::key(key, "protect", known));
        }
        for value in values(value, name == "users") {
            let wrong = |message| (value.span(), message, None);
            let text = scalar(value.get_ref()).ok_or_else(|| wrong("expected text".into()))?;
            protect.set(name, &text).map_err(wrong)?;
        }
    }
    Ok(protect)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, String> {
        let mut options = Options::default();
        let read = read_file(&mut options, "t.toml", text);
        read.map(|()| options).map_err(|error| error.to_string())
    }

    #[test]
    fn file_sets_the_same_options_as_the_command_line() {
        let options = read(
            "listen = ['127.0.0.1:1', '[::1]:2']\ncache-memory = \"1GiB\"\nmax-clients = 7\n\
             allow-client = '192.0.2.0/24'\n[limits]\nidle-timeout = '5s'\nfields = 64\n",
        )
        .unwrap();
        assert_eq!(options.listen.len(), 2);
        assert_eq!(options.limits.max_clients, Some(7));
        assert_eq!(options.limits.idle_timeout.as_secs(), 5);
        assert_eq!(options.limits.fields, 64);
    }

    #[test]
    fn printed_configuration_can_be_read() {
        let before = read(
            "to = 'http://h.test'\nvia = 'x'\n[limits]\nupload = '1MiB'\n\
             [[protect]]\npath = '/admin'\nusers = ['a', 'b']\nrealm = 'the staff'\n\
             [[protect]]\npath = '/x/'\nauth = 'digest'\nusers = 'c'\n",
        )
        .unwrap();
        assert_eq!(before.auth.protect.len(), 2);
        let after = read(&before.to_file()).unwrap();
        assert_eq!(before.to_file(), after.to_file());
    }

    #[test]
    fn unknown_keys_are_shown_with_place_and_suggestion() {
        let error = read("listen = '127.0.0.1:1'\ncache-memroy = '1GiB'\n").unwrap_err();
        assert!(error.contains("t.toml:2:1"), "{error}");
        assert!(error.contains("^^^^^^^^^^^^"), "{error}");
        assert!(error.contains("did you mean 'cache-memory'?"), "{error}");
        let error = read("[limits]\nidle-timout = '5s'\n").unwrap_err();
        assert!(error.contains("did you mean 'idle-timeout'?"), "{error}");
    }

    #[test]
    fn invalid_values_are_shown_with_their_place() {
        for (text, expected) in [
            ("cache-memory = 'lots'", "t.toml:1:16"),
            ("listen = ['127.0.0.1:1', 'here']", "t.toml:1:26"),
            ("listen = 1.5", "expected ADDR:PORT"),
            ("[limits]\nfields = 'x'", "expected a number"),
            ("[limits]\nfields = []", "expected one value"),
            ("[limits]\nwindow = '0B'", "t.toml:2:10"),
            ("[limits]\nfields = 600", "expected 512 or less"),
            ("header-timeout = '0s'", "'0s' is not 1ms or more"),
            ("limits = 5", "expected a table of limits"),
            ("to = 'http://h/%zz'", "t.toml:1:6"),
            ("to = [['http://h']]", "expected URL"),
            ("[[protect]]\nusers = 'x'", "t.toml:1:1"),
            ("[[protect]]\npath = '/a;b'", "t.toml:2:8"),
            ("[[protect]]\npath = '/a'\nusrs = 'x'", "did you mean 'users'?"),
            ("[[protect]]\npath = '/a'\nusers = ['x', 5.5]", "t.toml:3:15"),
            ("[protect]\npath = '/a'", "expected RULE"),
            ("protect = ['/a', 'b']", "t.toml:1:18"),
            ("a = ", "t.toml:1:"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
