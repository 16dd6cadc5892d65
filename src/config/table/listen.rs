//! Options for listeners and the origin that they serve.

use crate::config::reverse::origin::{health, policy, policy_name, set_health};

use crate::config::options::Options;
use crate::config::reverse::route_keys::ROUTE;

use super::spec::{OptionSpec, flag, many, one};
use super::value::{push, texts};

pub(super) const LISTEN: &[OptionSpec] = &[
    OptionSpec {
        short: Some('l'),
        ..many(one(
            "listen",
            "ADDR:PORT",
            "Address to listen on; [::] means all addresses, also those of IPv4; port 0 means any free \
             port [default: 127.0.0.1:3128]",
            |o, text| push(&mut o.listen, text, "ADDR:PORT, such as 127.0.0.1:3128 or [::1]:3128"),
            |o| texts(&o.listen_addresses()),
        ))
    },
    many(one(
        "to",
        "URL",
        "Run as a reverse proxy: serve this origin, or a group of several, among which requests are \
         balanced: URL [weight=N] [backup] [max-requests=N] [default: forward proxy]",
        |o, text| text.parse().map(|member| o.reverse.to.push(member)),
        |o| texts(&o.reverse.to),
    )),
    many(one(
        "route",
        "PATH=URL",
        "Route of a reverse proxy for a path: /PREFIX, =/EXACT or a pattern such as *.php, then = and \
         the URL of its origin, or the name of an [[origin]]. A path in the URL replaces the prefix \
         [default: none]",
        |o, text| text.parse().map(|route| o.reverse.routes.push(route)),
        |o| texts(&o.reverse.routes),
    )),
    one(
        "folder",
        "DIR",
        "Serve the files of a folder: a site for all hosts, as of --to [default: none]",
        |o, text| set(o, "folder", text),
        |o| get(o, "folder"),
    ),
    flag(
        "listing",
        "List the files of folders of --folder that have no index.html [default: off]",
        |o, text| set(o, "listing", text),
        |o| get(o, "listing"),
    ),
    one(
        "fallback",
        "FILE",
        "File of --folder for paths that name none, such as index.html for an application in the \
         browser [default: 404]",
        |o, text| set(o, "fallback", text),
        |o| get(o, "fallback"),
    ),
    flag(
        "precompressed",
        "Serve FILE.br, FILE.zst or FILE.gz of --folder in place of FILE to clients that accept the \
         coding [default: off]",
        |o, text| set(o, "precompressed", text),
        |o| get(o, "precompressed"),
    ),
    one(
        "balance",
        "POLICY",
        "Choice of an origin among several --to: round-robin, least-requests, two-choices or hash \
         [default: round-robin]",
        |o, text| policy(text).map(|policy| o.reverse.group.group.balance.policy = policy),
        |o| vec![policy_name(o.reverse.group.group.balance.policy)],
    ),
    one(
        "health",
        "PATH|tcp|off",
        "Check of the origins of --to every 5 s: a GET of this path, or a connection alone [default: \
         off]",
        |o, text| set_health(&mut o.reverse.group, text),
        |o| health(&o.reverse.group),
    ),
];

/// Sets a key of a route for the folder of the process.
fn set(options: &mut Options, name: &str, text: &str) -> Result<(), String> {
    let key = ROUTE.iter().find(|key| key.name == name);
    key.map_or(Ok(()), |key| (key.set)(&mut options.reverse.folder, text))
}

fn get(options: &Options, name: &str) -> Vec<String> {
    let key = ROUTE.iter().find(|key| key.name == name);
    key.map_or(Vec::new(), |key| (key.get)(&options.reverse.folder))
}
