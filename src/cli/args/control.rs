//! Arguments of the commands that ask a running proxy.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use crate::cli::control_socket::{DEFAULT_PORT, Socket};
use crate::proxy::PurgeTarget;

pub(super) fn purge_target(matches: &ArgMatches) -> PurgeTarget {
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
pub(super) fn socket(matches: &ArgMatches) -> Socket {
    let port = matches.get_one::<u16>("port").copied();
    match matches.get_one::<String>("control") {
        Some(path) => Socket::At(path.into()),
        None => Socket::OfPort(port.unwrap_or(DEFAULT_PORT)),
    }
}

pub(super) fn purge_command() -> Command {
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

pub(super) fn stats_command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new("stats")
        .about("Print the figures of a running proxy")
        .arg(json.help("As a JSON object"))
        .args(socket_args())
}

pub(super) fn reload_command() -> Command {
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
