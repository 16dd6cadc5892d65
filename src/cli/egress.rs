//! `tidegate egress`: a forward proxy that denies by default, in one line. It is short for rules.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::OptionSpec;

use super::args::Given;

pub(super) fn command() -> Command {
    let many = |name: &'static str, help| {
        Arg::new(name)
            .long(name)
            .value_name("DESTINATION|@FILE")
            .action(ArgAction::Append)
            .value_parser(destination)
            .help(help)
            .display_order(0)
    };
    Command::new("egress")
        .about("Run a forward proxy that denies what is not allowed")
        .arg(many("allow", "Allow this: HOST, *.DOMAIN, CIDR, HOST=CIDR, @FILE, with conditions"))
        .arg(many("deny", "Deny this, if no --allow before it fits"))
        .arg(
            Arg::new("report")
                .long("report")
                .action(ArgAction::SetTrue)
                .help("Let everything pass, and say in the log what would be denied")
                .display_order(0),
        )
}

/// What may stand behind an action. Nothing would be everything, which nobody means who has written
/// `--allow "$HOST"`.
fn destination(text: &str) -> Result<String, String> {
    match text.split_ascii_whitespace().next() {
        Some(word) if !word.starts_with('#') => Ok(text.to_owned()),
        _ => Err("this says nothing; everything is '*'".to_owned()),
    }
}

/// What that is short for, in the order in which it was said.
pub(super) fn given(matches: &ArgMatches) -> Given {
    let said = |name: &'static str| {
        let indices = matches.indices_of(name).into_iter().flatten();
        let values = matches.get_many::<String>(name).into_iter().flatten();
        indices.zip(values.map(move |value| format!("{name} {value}")))
    };
    let mut rules: Vec<(usize, String)> = said("allow").chain(said("deny")).collect();
    rules.sort_unstable();
    let rules = rules.into_iter().map(|(_, rule)| ("rule", rule));
    let report = matches.get_flag("report").then(|| ("rule-report", "on".to_owned()));
    let all = [("rule-default", "deny".to_owned())].into_iter().chain(report).chain(rules);
    all.filter_map(|(name, text)| Some((OptionSpec::find(name)?, text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_everything() {
        for text in ["", " ", "# api.example.com"] {
            assert!(command().try_get_matches_from(["egress", "--allow", text]).is_err(), "{text}");
        }
        assert!(command().try_get_matches_from(["egress", "--allow", "* port=80"]).is_ok());
    }
}
