//! The command line, made from the table of options.

pub(super) mod egress;
pub(super) mod options;
pub(super) mod users;

use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use crate::cli::control_socket::{DEFAULT_PORT, Socket};
use crate::cli::explain;
use crate::config::{OPTIONS, OptionSpec, Options};
use crate::proxy::{ControlRequest, PurgeTarget, Question};

use options::{Given, RunArgs};
use users::UsersRequest;

/// What was asked for.
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
    /// By what the options say.
    Explain {
        args: RunArgs,
        question: Question,
        json: bool,
    },
    /// By what the proxy has that runs.
    AskWhy {
        socket: Socket,
        question: Question,
        json: bool,
    },
    Users {
        file: PathBuf,
        request: UsersRequest,
    },
}

/// Options of a running process, on which explanations do not depend; `explain` has another --user.
const OF_PROCESS: &[&str] = &["user", "group", "confine", "allow-core-dumps"];

/// Reads the arguments of the process; help, version and bad usage end it here.
pub(super) fn parse() -> Invocation {
    let command = command();
    let matches = command.clone().get_matches();
    if let Some((file, request)) = matches.subcommand_matches("users").and_then(users::read) {
        return Invocation::Users { file, request };
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
        Some(("stats", matches)) => Invocation::Operate {
            socket: socket(matches),
            request: ControlRequest::Stats { json: matches.get_flag("json") },
        },
        Some(("explain", matches)) => explain_invocation(command, matches),
        Some(("egress", matches)) => {
            let given = egress_given(&command, matches);
            run_invocation(command, matches, given)
        }
        Some((_, matches)) => run_invocation(command, matches, Vec::new()),
        None => run_invocation(command, &matches, Vec::new()),
    }
}

/// What was `given` already, and then what the options say.
fn run_invocation(command: Command, matches: &ArgMatches, given: Given) -> Invocation {
    let print_config = matches.get_flag("print-config");
    Invocation::Run { args: run_args_of(command, matches, given, &[]), print_config }
}

fn explain_invocation(mut command: Command, matches: &ArgMatches) -> Invocation {
    let question = match explain::question(matches) {
        Ok(question) => question,
        Err(message) => command.error(ErrorKind::ValueValidation, message).exit(),
    };
    let json = matches.get_flag("json");
    let guard = egress::is_meant(matches);
    let given = if guard { egress_given(&command, matches) } else { Vec::new() };
    let args = run_args_of(command, matches, given, OF_PROCESS);
    if !matches.get_flag("live") {
        return Invocation::Explain { args, question, json };
    }
    if !args.is_empty() {
        let message =
            "--live asks the proxy that runs by its own rules; leave the other options out";
        Command::new("tidegate explain").error(ErrorKind::ArgumentConflict, message).exit();
    }
    Invocation::AskWhy { socket: socket(matches), question, json }
}

fn egress_given(command: &Command, matches: &ArgMatches) -> Given {
    egress::given(matches)
        .unwrap_or_else(|message| command.clone().error(ErrorKind::ValueValidation, message).exit())
}

fn run_args_of(
    mut command: Command,
    matches: &ArgMatches,
    mut given: Given,
    left_out: &[&str],
) -> RunArgs {
    // A guard has taken the rules already, among its own.
    let rules_taken = given.iter().any(|(option, _)| option.name == "rule-default");
    let is_taken = |name: &str| rules_taken && name == "rule" || left_out.contains(&name);
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

fn purge_target(matches: &ArgMatches) -> PurgeTarget {
    type Kind = fn(String) -> PurgeTarget;
    let kinds: [(&str, Kind); 4] = [
        ("url", PurgeTarget::Url),
        ("prefix", PurgeTarget::Prefix),
        ("host", PurgeTarget::Host),
        ("tag", PurgeTarget::Tag),
    ];
    let given = kinds
        .into_iter()
        .find_map(|(name, kind)| matches.get_one::<String>(name).cloned().map(kind));
    given.unwrap_or(PurgeTarget::All)
}

/// Where the proxy that is meant takes commands.
fn socket(matches: &ArgMatches) -> Socket {
    let port = matches.get_one::<u16>("port").copied();
    match matches.get_one::<String>("control") {
        Some(path) => Socket::At(path.into()),
        None => Socket::OfPort(port.unwrap_or(DEFAULT_PORT)),
    }
}

fn purge_command() -> Command {
    let what = |name: &'static str, value| {
        Arg::new(name).long(name).value_name(value).value_parser(one_line)
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("purge")
        .about("Remove responses from the cache of a running proxy")
        .arg(
            Arg::new("url")
                .value_name("URL")
                .value_parser(one_line)
                .help("What is stored for this URL"),
        )
        .arg(what("prefix", "URL").help("All URLs that begin so"))
        .arg(what("host", "HOST").help("All URLs of a host, or of HOST:PORT"))
        .arg(what("tag", "TAG").help("All with this Cache-Groups, Surrogate-Key or Cache-Tag"))
        .arg(flag("all").help("Everything"))
        .group(ArgGroup::new("what").args(["url", "prefix", "host", "tag", "all"]).required(true))
        .arg(flag("soft").help("Keep them, but stale from now on"))
        .args(socket_args())
}

fn stats_command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new("stats")
        .about("Print the figures of a running proxy")
        .arg(json.help("As a JSON object"))
        .args(socket_args())
}

fn reload_command() -> Command {
    let plan = Arg::new("plan").long("plan").action(ArgAction::SetTrue);
    Command::new("reload")
        .about("Have a running proxy read its configuration, users and rules again, all or nothing")
        .arg(plan.help("Only print what would change"))
        .args(socket_args())
}

fn socket_args() -> [Arg; 2] {
    let control = Arg::new("control").long("control").value_name("PATH");
    let port = Arg::new("port").long("port").value_name("PORT").value_parser(value_parser!(u16));
    [
        control.help("The control socket of the proxy").conflicts_with("port"),
        port.help("The first port it listens on, by which its socket is found [default: 3128]"),
    ]
}

/// What goes into one line of the control socket.
fn one_line(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".into()),
        _ if text.contains(['\n', '\r']) => Err("it has more than one line".into()),
        _ => Ok(text.to_owned()),
    }
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
        .subcommand(egress::command().args(run_args()).arg(print_config()))
        .subcommand(explain::command().args(explained_args()))
        .subcommand(
            Command::new("check")
                .about("Check a configuration file: exit 0 or 2")
                .arg(config.help("The file to check").required(true)),
        )
        .subcommand(purge_command())
        .subcommand(stats_command())
        .subcommand(reload_command())
        .subcommand(users::command())
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
    args
}

/// The options on which explanations depend.
fn explained_args() -> impl Iterator<Item = Arg> {
    run_args().into_iter().filter(|arg| !OF_PROCESS.contains(&arg.get_id().as_str()))
}

fn print_config() -> Arg {
    Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the configuration that follows from all of this, and exit")
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
