//! Arguments of `tidegate explain`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::args::egress;
use crate::proxy::ExplainQuery;

use super::control::port;

pub(super) fn command() -> Command {
    let one = |name: &'static str, value, help| {
        Arg::new(name).long(name).value_name(value).help(help).display_order(0)
    };
    let many = |name: &'static str, value, help| one(name, value, help).action(ArgAction::Append);
    let flag = |name: &'static str, help| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help).display_order(0)
    };
    Command::new("explain")
        .about("Explain whether and why a request would be allowed: exit 0 if so, 3 if not")
        .arg(Arg::new("url").value_name("URL").required(true).help("URL, or HOST:PORT for CONNECT"))
        .arg(
            one("client", "IP", "Address of the client [default: 127.0.0.1]")
                .value_parser(value_parser!(IpAddr)),
        )
        .arg(
            one("listener", "ADDR:PORT", "Listener that receives the request [default: the first]")
                .value_parser(value_parser!(SocketAddr)),
        )
        .arg(one("user", "NAME", "Authenticated user of the request"))
        .arg(one("cert", "NAME", "Name in the verified certificate of the client"))
        .arg(one(
            "method",
            "M",
            "Method [default: GET; for a forward proxy, CONNECT for https and HOST:PORT]",
        ))
        .arg(many("header", "FIELD: VALUE", "Header field of the request").short('H'))
        .arg(
            many("address", "IP", "Use this address for the host name, and query no name server")
                .value_parser(value_parser!(IpAddr)),
        )
        .args(egress::args())
        .arg(flag("json", "Print a JSON object in one line"))
        .arg(flag("live", "Ask the running proxy, which uses its own rules, names and cache"))
        .arg(port().requires("live").conflicts_with("control").display_order(0))
}

/// Reads the request to be explained.
///
/// # Errors
/// Returns a message if a part of the request is invalid.
pub(crate) fn question(matches: &ArgMatches) -> Result<ExplainQuery, String> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let all = |name| matches.get_many::<String>(name).into_iter().flatten().cloned();
    let question = ExplainQuery {
        method: text("method").unwrap_or_default(),
        url: text("url").unwrap_or_default(),
        client: matches.get_one("client").copied().unwrap_or(Ipv4Addr::LOCALHOST.into()),
        listener: matches.get_one("listener").copied(),
        user: text("user"),
        certificate: text("cert"),
        fields: all("header").collect(),
        addresses: matches.get_many("address").into_iter().flatten().copied().collect(),
    };
    let parts = [&question.method, &question.url]
        .into_iter()
        .chain(&question.user)
        .chain(&question.certificate);
    for part in parts.chain(&question.fields) {
        if part.contains(char::is_control) {
            return Err(format!("{part:?} contains a control character"));
        }
    }
    Ok(question)
}
