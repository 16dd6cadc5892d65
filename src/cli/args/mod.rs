//! The command line. Its options are those of the configuration table.

mod control;
pub(super) mod doctor;
pub(super) mod egress;
pub(super) mod explain;
pub(super) mod options;
mod run;
mod serve;
pub(super) mod users;

use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

use crate::cli::control_socket::Socket;
use crate::cli::top::TopRequest;
use crate::config::{OPTIONS, Options};
use crate::proxy::{ControlRequest, ExplainQuery};

use control::{
    bans_command, bans_request, log_command, log_request, origin_command, origin_request,
    purge_command, purge_target, reload_command, renew_command, renewal, socket, stats_command,
    top_command, top_request, upgrade_command,
};
use doctor::DoctorRequest;
use options::{OptionValues, RunArgs};
use run::{print_config, run_args};
use users::UsersRequest;

/// A subcommand with its arguments.
pub(super) enum Invocation {
    Run {
        args: RunArgs,
        print_config: bool,
    },
    Check {
        file: String,
    },
    Operate {
        socket: Socket,
        request: ControlRequest,
    },
    /// Prints an answer while it is received.
    Follow {
        socket: Socket,
        request: ControlRequest,
    },
    /// Explains by the given options.
    Explain {
        args: RunArgs,
        question: ExplainQuery,
        json: bool,
    },
    /// Explains by the configuration of the running proxy.
    ExplainLive {
        socket: Socket,
        question: ExplainQuery,
        json: bool,
    },
    Doctor(DoctorRequest),
    Top(TopRequest),
    Users {
        file: PathBuf,
        request: UsersRequest,
    },
}

/// Options of a running process, which `explain` does not have: explanations do not depend on them,
/// and its `--user` differs.
const OF_PROCESS: &[&str] =
    &["user", "group", "confine", "allow-core-dumps", "supervise", "heartbeat-timeout"];

/// Parses the arguments of the process. Ends the process for help, version, and invalid arguments.
pub(super) fn parse() -> Invocation {
    let mut command = command();
    let matches = command.clone().get_matches();
    if let Some((file, request)) = matches.subcommand_matches("users").and_then(users::read) {
        return Invocation::Users { file, request };
    }
    if let Some(request) = matches.subcommand_matches("doctor").and_then(doctor::request) {
        return Invocation::Doctor(request);
    }
    match matches.subcommand() {
        Some(("check", matches)) => {
            let file = matches.get_one::<String>("config").cloned();
            Invocation::Check { file: file.unwrap_or_default() }
        }
        Some(("purge", matches)) => Invocation::Operate {
            socket: socket(matches),
            request: ControlRequest::Purge {
                target: purge_target(matches),
                soft: matches.get_flag("soft"),
            },
        },
        Some(("reload", matches)) => Invocation::Operate {
            socket: socket(matches),
            request: ControlRequest::Reload { plan: matches.get_flag("plan") },
        },
        Some(("upgrade", matches)) => {
            Invocation::Operate { socket: socket(matches), request: ControlRequest::Upgrade }
        }
        Some(("origin", matches)) => {
            let (request, matches) = origin_request(matches);
            Invocation::Operate { socket: socket(matches), request }
        }
        Some(("bans", matches)) => match bans_request(matches) {
            Ok((request, matches)) => Invocation::Operate { socket: socket(matches), request },
            Err(message) => {
                let verb = matches.subcommand_name().into_iter();
                refuse(&mut command, ["bans"].into_iter().chain(verb), message)
            }
        },
        Some(("renew", matches)) => {
            Invocation::Operate { socket: socket(matches), request: renewal(matches) }
        }
        Some(("stats", matches)) => Invocation::Operate {
            socket: socket(matches),
            request: ControlRequest::Stats { json: matches.get_flag("json") },
        },
        Some(("log", matches)) => {
            Invocation::Follow { socket: socket(matches), request: log_request(matches) }
        }
        Some(("top", matches)) => Invocation::Top(top_request(matches)),
        Some(("explain", matches)) => explain_invocation(command, matches),
        Some(("egress", matches)) => {
            let given = egress_given(&command, matches);
            run_invocation(command, matches, given)
        }
        Some(("serve", matches)) => run_invocation(command, matches, serve::given(matches)),
        Some((_, matches)) => run_invocation(command, matches, Vec::new()),
        None => run_invocation(command, &matches, Vec::new()),
    }
}

/// Returns the invocation of the proxy, with the options in `given` before those in `matches`.
fn run_invocation(command: Command, matches: &ArgMatches, given: OptionValues) -> Invocation {
    let print_config = matches.get_flag("print-config");
    Invocation::Run { args: run_args_of(command, matches, given, &[]), print_config }
}

fn explain_invocation(mut command: Command, matches: &ArgMatches) -> Invocation {
    let question = match explain::question(matches) {
        Ok(question) => question,
        Err(message) => refuse(&mut command, ["explain"].into_iter(), message),
    };
    let json = matches.get_flag("json");
    let guard = egress::has_rules(matches);
    let given = if guard { egress_given(&command, matches) } else { Vec::new() };
    let args = run_args_of(command, matches, given, OF_PROCESS);
    if !matches.get_flag("live") {
        return Invocation::Explain { args, question, json };
    }
    if !args.is_empty() {
        let message =
            "--live uses the configuration of the running proxy; remove the other options";
        Command::new("tidegate explain").error(ErrorKind::ArgumentConflict, message).exit();
    }
    Invocation::ExplainLive { socket: socket(matches), question, json }
}

fn egress_given(command: &Command, matches: &ArgMatches) -> OptionValues {
    egress::given(matches)
        .unwrap_or_else(|message| refuse(&mut command.clone(), ["egress"].into_iter(), message))
}

/// Ends the process with a message about a value, and the usage of the subcommand below `names`.
fn refuse<'a>(
    command: &mut Command,
    mut names: impl Iterator<Item = &'a str>,
    message: String,
) -> ! {
    command.build();
    let found = names.try_fold(&mut *command, |command, name| command.find_subcommand_mut(name));
    match found {
        Some(command) => command.error(ErrorKind::ValueValidation, message).exit(),
        None => unreachable!("the subcommand was given"),
    }
}

fn run_args_of(
    mut command: Command,
    matches: &ArgMatches,
    mut given: OptionValues,
    left_out: &[&str],
) -> RunArgs {
    // A guard has translated the rules already, in their order among its own.
    let rules_taken = given.iter().any(|(option, _)| option.name == "rule-default");
    let folder_taken = given.iter().any(|(option, _)| option.name == "folder");
    let is_taken = |name: &str| {
        rules_taken && name == "rule"
            || folder_taken && name == "folder"
            || left_out.contains(&name)
    };
    for option in OPTIONS.iter().filter(|option| !is_taken(option.name)) {
        for text in matches.get_many::<String>(option.name).into_iter().flatten() {
            if let Err(message) = (option.set)(&mut Options::default(), text) {
                let message = format!("--{}: {message}", option.name);
                command.error(ErrorKind::ValueValidation, message).exit();
            }
            given.push((option, text.clone()));
        }
    }
    let config = matches.get_one::<String>("config").cloned();
    RunArgs { config, given }
}

fn command() -> Command {
    let config = Arg::new("config").short('c').long("config").value_name("FILE");
    Command::new("tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A caching HTTP proxy, forward and reverse, safe by default")
        .styles(Styles::plain())
        .args_conflicts_with_subcommands(true)
        .args(run_args())
        .arg(print_config())
        .subcommand(
            Command::new("run")
                .about("Run the proxy (the default)")
                .args(run_args())
                .arg(print_config()),
        )
        .subcommand(
            serve::command()
                .args(run_args().into_iter().filter(|arg| arg.get_id() != "folder"))
                .arg(print_config()),
        )
        .subcommand(egress::command().args(run_args()).arg(print_config()))
        .subcommand(explain::command().args(explained_args()))
        .subcommand(doctor::command())
        .subcommand(
            Command::new("check")
                .about("Check a configuration file: exit 0 if it is valid, 2 if not")
                .arg(config.help("File to check").required(true)),
        )
        .subcommand(purge_command())
        .subcommand(stats_command())
        .subcommand(log_command())
        .subcommand(top_command())
        .subcommand(reload_command())
        .subcommand(upgrade_command())
        .subcommand(renew_command())
        .subcommand(origin_command())
        .subcommand(bans_command())
        .subcommand(users::command())
}

/// Returns the options on which explanations depend.
fn explained_args() -> impl Iterator<Item = Arg> {
    run_args().into_iter().filter(|arg| !OF_PROCESS.contains(&arg.get_id().as_str()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_line_is_consistent() {
        super::command().debug_assert();
    }
}
