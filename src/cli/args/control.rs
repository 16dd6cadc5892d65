//! Arguments of the commands that are sent to a running proxy.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};

use crate::acme::RevocationReason;
use crate::balance::{MOST_WEIGHT, Order};
use crate::cli::control_socket::Socket;
use crate::cli::top::{Pane, TopRequest};
use crate::proxy::{
    BanCommand, ControlRequest, JournalFilter, OriginCommand, PurgeTarget, StatusPattern,
};
use crate::time::read_duration;

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

/// Returns the location of the control socket given by `--control` or `--port`.
pub(super) fn socket(matches: &ArgMatches) -> Socket {
    let port = matches.get_one::<u16>("port").copied();
    match (matches.get_one::<String>("control"), port) {
        (Some(path), _) => Socket::At(path.into()),
        (None, Some(port)) => Socket::OfPort(port),
        (None, None) => Socket::Usual,
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
                .help("Remove the responses of this URL"),
        )
        .arg(what("prefix", "URL").help("Remove the responses of all URLs that begin with URL"))
        .arg(what("host", "HOST").help("Remove the responses of all URLs of HOST, or of HOST:PORT"))
        .arg(
            what("tag", "TAG")
                .help("Remove all responses with TAG in Cache-Groups, Surrogate-Key or Cache-Tag"),
        )
        .arg(flag("all").help("Remove all responses"))
        .group(ArgGroup::new("what").args(["url", "prefix", "host", "tag", "all"]).required(true))
        .arg(flag("soft").help("Mark the responses stale instead of removing them"))
        .args(socket_args())
}

pub(super) fn stats_command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new("stats")
        .about("Print the metrics of a running proxy")
        .arg(json.help("Print a JSON object"))
        .args(socket_args())
}

pub(super) fn log_command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let follow = flag("follow").short('f');
    let status = Arg::new("status").long("status").value_name("STATUS").action(ArgAction::Append);
    let host = Arg::new("host").long("host").value_name("HOST").value_parser(one_word);
    let slow = Arg::new("slow").long("slow").value_name("TIME");
    Command::new("log")
        .about("Print the latest requests of a running proxy, whatever its access log is")
        .arg(follow.help("Go on with further requests, until you press Ctrl-C"))
        .arg(
            status
                .value_parser(|text: &str| text.parse::<StatusPattern>())
                .help("Only requests with this status, such as 404, or 5xx"),
        )
        .arg(host.help("Only requests for HOST, or a name below it"))
        .arg(
            slow.value_parser(|text: &str| {
                read_duration(text).ok_or_else(|| format!("'{text}' is no duration such as 1s"))
            })
            .help("Only requests that have taken TIME or longer, such as 1s"),
        )
        .arg(flag("json").help("Print objects in JSON"))
        .args(socket_args())
}

/// Returns the request for lines of the journal.
pub(super) fn log_request(matches: &ArgMatches) -> ControlRequest {
    let statuses = matches.get_many("status").into_iter().flatten().copied().collect();
    let filter = JournalFilter {
        statuses,
        host: matches.get_one::<String>("host").cloned(),
        slow: matches.get_one::<Duration>("slow").copied(),
    };
    let (json, follow) = (matches.get_flag("json"), matches.get_flag("follow"));
    ControlRequest::Log { filter, json, follow }
}

pub(super) fn top_command() -> Command {
    let once = Arg::new("once").long("once").action(ArgAction::SetTrue);
    let pane =
        Arg::new("pane").long("pane").value_name("PANE").value_parser(Pane::ALL.map(Pane::name));
    Command::new("top")
        .about("Show a running proxy on the terminal, each second anew")
        .arg(pane.default_value(Pane::Overview.name()).help("Pane to show first"))
        .arg(once.help("Print one frame as text, after a second, and end"))
        .args(socket_args())
}

/// Returns the request to show a proxy.
pub(super) fn top_request(matches: &ArgMatches) -> TopRequest {
    let name = matches.get_one::<String>("pane").map_or("", String::as_str);
    let pane = Pane::ALL.into_iter().find(|pane| pane.name() == name);
    TopRequest {
        socket: socket(matches),
        pane: pane.unwrap_or(Pane::Overview),
        once: matches.get_flag("once"),
    }
}

pub(super) fn reload_command() -> Command {
    let plan = Arg::new("plan").long("plan").action(ArgAction::SetTrue);
    Command::new("reload")
        .about("Make a running proxy reload its configuration, users and rules, all or nothing")
        .arg(plan.help("Print the changes without applying them"))
        .args(socket_args())
}

pub(super) fn upgrade_command() -> Command {
    Command::new("upgrade")
        .about("Make a supervised proxy continue with the present binary and configuration")
        .args(socket_args())
}

pub(super) fn origin_command() -> Command {
    let member = || {
        Arg::new("member")
            .value_name("URL")
            .required(true)
            .value_parser(one_line)
            .help("Member of a group of origins: its URL, or HOST:PORT")
    };
    let group = || {
        Arg::new("group")
            .long("group")
            .value_name("NAME")
            .value_parser(one_word)
            .allow_hyphen_values(true) // the group of --to has this name
            .help("Group in which the order holds [default: all that have the member]")
    };
    let order = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(member()).arg(group()).args(socket_args())
    };
    let weight = Arg::new("weight")
        .value_name("N")
        .required(true)
        .value_parser(value_parser!(u32).range(0..=i64::from(MOST_WEIGHT)))
        .help("Weight in place of the configured one; 0 for the configured one");
    Command::new("origin")
        .about("List the origins of a running proxy, or take one out of use")
        .subcommand_required(true)
        .subcommand(
            Command::new("list").about("Print all groups, members and states").args(socket_args()),
        )
        .subcommand(order("drain", "Send no new requests; clients with its cookie stay"))
        .subcommand(order("disable", "Send no requests at all, and no checks"))
        .subcommand(order("ready", "Send requests again"))
        .subcommand(order("weight", "Change the weight").arg(weight))
}

/// Returns the request about origins, and its arguments.
pub(super) fn origin_request(matches: &ArgMatches) -> (ControlRequest, &ArgMatches) {
    let Some((verb, matches)) = matches.subcommand() else {
        return (ControlRequest::Origin(OriginCommand::List), matches);
    };
    let order = match verb {
        "drain" => Order::Drain,
        "disable" => Order::Disable,
        "ready" => Order::Ready,
        "weight" => Order::Weight(matches.get_one("weight").copied().unwrap_or_default()),
        _ => return (ControlRequest::Origin(OriginCommand::List), matches),
    };
    let member = matches.get_one::<String>("member").cloned().unwrap_or_default();
    let group = matches.get_one::<String>("group").cloned();
    (ControlRequest::Origin(OriginCommand::Order { member, group, order }), matches)
}

pub(super) fn bans_command() -> Command {
    let network = || {
        Arg::new("network")
            .value_name("NETWORK")
            .required(true)
            .value_parser(one_line)
            .help("Address or network, such as 192.0.2.7 or 192.0.2.0/24")
    };
    let time = Arg::new("for").long("for").value_name("TIME").required(true);
    let action = Arg::new("action").long("action").value_parser(["drop", "429", "delay"]);
    let why = Arg::new("why").long("why").value_name("TEXT").value_parser(one_line);
    Command::new("bans")
        .about("List the bans of clients of a running proxy, begin or lift one")
        .args_conflicts_with_subcommands(true)
        .args(socket_args())
        .subcommand(Command::new("list").about("Print the bans in force").args(socket_args()))
        .subcommand(
            Command::new("add")
                .about("Ban a network")
                .arg(network())
                .arg(time.help("Time of the ban, such as 30s, 10m or 24h"))
                .arg(action.default_value("drop").help(
                    "Close connections, answer requests with status 429, or hold responses for a \
                     second",
                ))
                .arg(why.help("Reason, for the list and the log"))
                .args(socket_args()),
        )
        .subcommand(
            Command::new("lift")
                .about("Lift the bans of a network, and of networks inside it")
                .arg(network())
                .args(socket_args()),
        )
}

/// Returns the request about bans, and its arguments.
///
/// # Errors
/// A message about the argument that is wrong.
pub(super) fn bans_request(matches: &ArgMatches) -> Result<(ControlRequest, &ArgMatches), String> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Ok((ControlRequest::Bans(BanCommand::List), matches));
    };
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let command = match verb {
        "add" => {
            BanCommand::read_time(text("for")).map_err(|why| format!("--for: {why}"))?;
            BanCommand::add(text("network"), text("action"), text("for"), text("why"))?
        }
        "lift" => BanCommand::lift(text("network"))?,
        _ => BanCommand::List,
    };
    Ok((ControlRequest::Bans(command), matches))
}

pub(super) fn renew_command() -> Command {
    let reasons = RevocationReason::ALL.map(RevocationReason::name);
    Command::new("renew")
        .about("Make a running proxy replace a certificate that it has obtained (--acme)")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(one_line)
                .help("First name of the certificate"),
        )
        .arg(
            Arg::new("revoke")
                .long("revoke")
                .value_name("REASON")
                .value_parser(reasons)
                .help("Then revoke the replaced certificate"),
        )
        .args(socket_args())
}

/// Returns the request to renew a certificate.
pub(super) fn renewal(matches: &ArgMatches) -> ControlRequest {
    let revoke = matches.get_one::<String>("revoke");
    ControlRequest::Renew {
        name: matches.get_one::<String>("name").cloned().unwrap_or_default(),
        revoke: revoke.and_then(|reason| RevocationReason::named(reason)),
    }
}

fn socket_args() -> [Arg; 2] {
    let control = Arg::new("control").long("control").value_name("PATH");
    [control.help("Control socket of the proxy").conflicts_with("port"), port()]
}

/// Returns the argument `--port`, by which the control socket is found.
pub(super) fn port() -> Arg {
    Arg::new("port").long("port").value_name("PORT").value_parser(value_parser!(u16)).help(
        "Port of the first listener, to find the control socket [default: 3128, or that of the only \
         proxy]",
    )
}

/// Accepts text that fits into one line of the control protocol.
fn one_line(text: &str) -> Result<String, String> {
    match text {
        "" => Err("must not be empty".into()),
        _ if text.contains(['\n', '\r']) => Err("must be a single line".into()),
        _ => Ok(text.to_owned()),
    }
}

/// Accepts a name without spaces.
fn one_word(text: &str) -> Result<String, String> {
    match text.contains(char::is_whitespace) {
        true => Err("must be one word".into()),
        false => one_line(text),
    }
}
