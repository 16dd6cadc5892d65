//! Arguments of `tidegate egress`, a forward proxy that denies by default. They are short for
//! rules.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{OptionSpec, Options};

use super::options::OptionValues;

pub(super) fn command() -> Command {
    Command::new("egress")
        .about("Run a forward proxy that denies all destinations but those allowed")
        .args(args())
}

/// Returns the arguments that a guard adds to those of `run`.
pub(crate) fn args() -> [Arg; 3] {
    let many = |name: &'static str, help| {
        let arg = Arg::new(name).long(name).value_name("DESTINATION|@FILE");
        arg.action(ArgAction::Append).value_parser(destination).help(help).display_order(0)
    };
    let report = Arg::new("report").long("report").action(ArgAction::SetTrue).display_order(0);
    [
        many("allow", "Allow HOST, *.DOMAIN, CIDR, HOST=CIDR or @FILE, with conditions"),
        many("deny", "Deny a destination that no --allow before matches"),
        report.help("Deny nothing, and log what would be denied"),
    ]
}

/// Accepts text that names a destination. An empty one would mean all destinations, which `--allow
/// "$HOST"` with an unset variable must not.
fn destination(text: &str) -> Result<String, String> {
    match text.split_ascii_whitespace().next() {
        Some(word) if !word.starts_with('#') => Ok(text.to_owned()),
        _ => Err("no destination is given; '*' stands for all".to_owned()),
    }
}

/// Returns true if the arguments contain rules of a guard.
pub(super) fn has_rules(matches: &ArgMatches) -> bool {
    ["allow", "deny"].into_iter().any(|name| matches.contains_id(name))
}

/// Translates the arguments into rules, in the order of the command line. Includes the rules of
/// `--rule`.
///
/// # Errors
/// Returns a message if an argument is invalid or conflicts with another.
pub(super) fn given(matches: &ArgMatches) -> Result<OptionValues, String> {
    if matches.contains_id("rule-default") {
        return Err(
            "--rule-default: 'tidegate egress' always denies by default; use 'tidegate run'".into(),
        );
    }
    let said = |name: &'static str, action: &'static str| {
        let indices = matches.indices_of(name).into_iter().flatten();
        let values = matches.get_many::<String>(name).into_iter().flatten();
        indices.zip(values.map(move |value| (name, format!("{action}{value}"))))
    };
    let all = said("allow", "allow ").chain(said("deny", "deny ")).chain(said("rule", ""));
    let mut rules: Vec<(usize, (&str, String))> = all.collect();
    rules.sort_unstable();
    let report = matches.get_flag("report").then(|| ("report", "rule-report", "on".to_owned()));
    let fixed = [("egress", "rule-default", "deny".to_owned())].into_iter().chain(report);
    let rules = rules.into_iter().map(|(_, (said, rule))| (said, "rule", rule));
    let read = |(said, name, text): (&str, &str, String)| {
        let option =
            OptionSpec::find(name).ok_or_else(|| format!("there is no option --{name}"))?;
        (option.set)(&mut Options::default(), &text)
            .map_err(|error| format!("--{said}: {error}"))?;
        Ok((option, text))
    };
    fixed.chain(rules).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_destination_is_rejected() {
        for text in ["", " ", "# api.example.com"] {
            assert!(command().try_get_matches_from(["egress", "--allow", text]).is_err(), "{text}");
        }
        assert!(command().try_get_matches_from(["egress", "--allow", "* port=80"]).is_ok());
    }
}
