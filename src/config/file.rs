//! Configuration file: TOML with the names of options, and a table of limits.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::proxy::Limits;

use super::diagnose::ConfigError;
use super::options::Options;
use super::protect::Protect;
use super::table::{OPTIONS, OptionSpec};

/// Reads `text`, the content of the file `name`, into `options`.
///
/// # Errors
/// The first error, with its place.
pub fn read_file(options: &mut Options, name: &str, text: &str) -> Result<(), ConfigError> {
    let error = |span: Range<usize>, message: String, help: Option<String>| ConfigError {
        file: name.to_owned(),
        text: text.to_owned(),
        first_line: 1,
        span,
        message,
        help,
    };
    let table = DeTable::parse(text).map_err(|toml| {
        let span = toml.span().unwrap_or(0..text.len().min(1));
        error(span, toml.message().to_owned(), None)
    })?;
    for (key, value) in table.get_ref() {
        let (span, key) = (key.span(), key.get_ref().as_ref());
        if let ("limits", DeValue::Table(limits)) = (key, value.get_ref()) {
            for (key, value) in limits {
                let (name, text) = (key.get_ref().as_ref(), scalar(value.get_ref()));
                match text.map(|text| options.limits.set(name, &text)) {
                    Some(Ok(())) => {}
                    Some(Err(None)) => {
                        let message = format!("there is no limit '{name}'");
                        return Err(error(key.span(), message, suggestion(name, Limits::NAMES)));
                    }
                    Some(Err(Some(expected))) => {
                        return Err(error(value.span(), format!("expected {expected}"), None));
                    }
                    None => {
                        return Err(error(value.span(), "expected one value".into(), None));
                    }
                }
            }
            continue;
        }
        if let ("protect", DeValue::Array(rules)) = (key, value.get_ref())
            && rules.iter().all(|rule| matches!(rule.get_ref(), DeValue::Table(_)))
        {
            for rule in rules {
                let DeValue::Table(table) = rule.get_ref() else { continue };
                let read = protect(table, rule.span());
                let read = read.map_err(|(span, message, help)| error(span, message, help))?;
                options.auth.protect.push(read);
            }
            continue;
        }
        if key == "limits" {
            let help = "write limits below a line [limits], each as name = value";
            let message = "expected a table of limits".to_owned();
            return Err(error(value.span(), message, Some(help.into())));
        }
        let Some(option) = OptionSpec::find(key) else {
            let known: Vec<&str> =
                OPTIONS.iter().map(|option| option.name).chain(["limits"]).collect();
            let message = format!("there is no option '{key}'");
            return Err(error(span, message, suggestion(key, &known)));
        };
        let values = match value.get_ref() {
            DeValue::Array(values) if option.many => values.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            let Some(scalar) = scalar(value.get_ref()) else {
                let message = format!("expected {}", option.value);
                return Err(error(value.span(), message, None));
            };
            let set = (option.set)(options, &scalar);
            set.map_err(|message| error(value.span(), message, None))?;
            if option.name == "rule" {
                options
                    .rules
                    .place_last(name, 1 + text[..value.span().start].matches('\n').count());
            }
        }
    }
    Ok(())
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
            let known = [&["path"], Protect::NAMES].concat();
            let message = format!("[[protect]] has no key '{name}'");
            return Err((key.span(), message, suggestion(name, &known)));
        }
        let values = match value.get_ref() {
            DeValue::Array(values) if name == "users" => values.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            let wrong = |message| (value.span(), message, None);
            let text = scalar(value.get_ref()).ok_or_else(|| wrong("expected text".into()))?;
            protect.set(name, &text).map_err(wrong)?;
        }
    }
    Ok(protect)
}

/// Place and description of an error, with a suggestion if there is one.
type Wrong = (Range<usize>, String, Option<String>);

/// Returns a value as the command line would spell it.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn suggestion(wrong: &str, known: &[&str]) -> Option<String> {
    let close = known.iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let (distance, name) = close.min()?;
    let likely = distance <= 2.max(name.len() / 3);
    likely.then(|| format!("did you mean '{name}'?"))
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
            ("to = ['http://h']", "expected URL"),
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
