//! The command line, made from the table of options.

use clap::builder::styling::Styles;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{OPTIONS, OptionSpec, Options};

use super::load;

/// What was asked for.
pub(super) enum Invocation {
    Run { args: RunArgs, print_config: bool },
    Check { file: String },
}

/// The arguments of `run`, kept to be read again on reload.
#[derive(Clone, Debug)]
pub(super) struct RunArgs {
    pub(super) config: Option<String>,
    given: Vec<(&'static OptionSpec, String)>,
}

impl RunArgs {
    /// What the file says, and over it what the command line says.
    ///
    /// # Errors
    /// What is wrong in either.
    pub(super) fn options(&self) -> Result<Options, String> {
        let mut options = match &self.config {
            Some(file) => load(file)?,
            None => Options::default(),
        };
        if self.given.iter().any(|(option, _)| option.name == "listen") {
            options.listen.clear();
        }
        for (option, text) in &self.given {
            (option.set)(&mut options, text)
                .map_err(|message| format!("--{}: {message}", option.name))?;
        }
        Ok(options)
    }
}

/// Reads the arguments of the process; help, version and bad usage end it here.
pub(super) fn parse() -> Invocation {
    let command = command();
    let matches = command.clone().get_matches();
    match matches.subcommand() {
        Some(("check", matches)) => {
            let file = matches.get_one::<String>("config").cloned();
            Invocation::Check { file: file.unwrap_or_default() }
        }
        Some((_, matches)) => run_invocation(command, matches),
        None => run_invocation(command, &matches),
    }
}

fn run_invocation(mut command: Command, matches: &ArgMatches) -> Invocation {
    let mut given = Vec::new();
    for option in OPTIONS {
        for text in matches.get_many::<String>(option.name).into_iter().flatten() {
            if let Err(message) = (option.set)(&mut Options::default(), text) {
                let message = format!("--{}: {message}", option.name);
                command.error(ErrorKind::ValueValidation, message).exit();
            }
            given.push((option, text.clone()));
        }
    }
    let config = matches.get_one::<String>("config").cloned();
    let print_config = matches.get_flag("print-config");
    Invocation::Run { args: RunArgs { config, given }, print_config }
}

fn command() -> Command {
    let config = Arg::new("config").short('c').long("config").value_name("FILE");
    Command::new("tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A caching HTTP proxy, forward and reverse, safe by default")
        .styles(Styles::plain())
        .args_conflicts_with_subcommands(true)
        .args(run_args())
        .subcommand(Command::new("run").about("Run the proxy (the default)").args(run_args()))
        .subcommand(
            Command::new("check")
                .about("Check a configuration file: exit 0 or 2")
                .arg(config.help("The file to check").required(true)),
        )
}

fn run_args() -> Vec<Arg> {
    let mut args: Vec<Arg> = OPTIONS.iter().map(arg).collect();
    args.insert(
        2,
        Arg::new("config")
            .short('c')
            .long("config")
            .value_name("FILE")
            .help("Read options from this TOML file first"),
    );
    args.push(
        Arg::new("print-config")
            .long("print-config")
            .action(ArgAction::SetTrue)
            .help("Print the configuration that follows from all of this, and exit"),
    );
    args
}

fn arg(option: &'static OptionSpec) -> Arg {
    let action = if option.many { ArgAction::Append } else { ArgAction::Set };
    let arg = Arg::new(option.name).long(option.name).value_name(option.value);
    let arg = arg.action(action).help(option.help).allow_hyphen_values(option.name == "access-log");
    let arg = match option.flag {
        true => arg.num_args(0..=1).require_equals(true).default_missing_value("on"),
        false => arg,
    };
    match option.short {
        Some(letter) => arg.short(letter),
        None => arg,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
