//! Arguments of `tidegate doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::doctor::Url;
use crate::http::Authority;
use crate::units::Unit;

/// Longest time of an examination unless another is given.
const MAX_TIME: Duration = Duration::from_secs(60);

/// A request for an examination.
#[derive(Clone, Debug)]
pub(crate) struct DoctorRequest {
    /// URL of a page of the site.
    pub(crate) url: Url,
    /// URL of the origin, if it is to be asked, too.
    pub(crate) origin: Option<Url>,
    /// Host and port to connect to in place of those of the URL.
    pub(crate) connect: Option<(String, u16)>,
    /// Files with authorities to trust beside those of the system.
    pub(crate) authorities: Vec<PathBuf>,
    /// Longest time of the whole examination.
    pub(crate) max_time: Duration,
    /// True for output as a JSON object.
    pub(crate) json: bool,
}

pub(super) fn command() -> Command {
    let one =
        |name: &'static str, value, help| Arg::new(name).long(name).value_name(value).help(help);
    let url = Arg::new("url").value_name("URL").required(true).value_parser(Url::parse);
    Command::new("doctor")
        .about("Ask a site as a browser would, and say what is wrong: exit 0 if nothing, 1 if something")
        .arg(url.help("Page of the site to examine"))
        .arg(
            one("origin", "URL", "Origin behind the proxy, which is asked directly to find causes")
                .value_parser(Url::parse),
        )
        .arg(
            one("connect", "HOST:PORT", "Connect here in place of the URL's host, such as before the name exists")
                .value_parser(host_and_port),
        )
        .arg(
            one("origin-ca", "FILE", "Authorities (PEM) to trust besides those of the system")
                .visible_alias("ca")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            one("max-time", "TIME", "Longest time of all requests together [default: 60s]")
                .value_parser(time),
        )
        .arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print a JSON object in one line"),
        )
}

/// Returns the request; `None` without a URL.
pub(super) fn request(matches: &ArgMatches) -> Option<DoctorRequest> {
    Some(DoctorRequest {
        url: matches.get_one::<Url>("url").cloned()?,
        origin: matches.get_one("origin").cloned(),
        connect: matches.get_one("connect").cloned(),
        authorities: matches.get_many("origin-ca").into_iter().flatten().cloned().collect(),
        max_time: matches.get_one("max-time").copied().unwrap_or(MAX_TIME),
        json: matches.get_flag("json"),
    })
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    match Authority::parse(text.as_bytes()) {
        Ok(Authority { host, port: Some(port) }) => Ok((host.to_owned(), port)),
        _ => Err("write HOST:PORT, such as 127.0.0.1:8080 or [::1]:443".to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = Duration::read(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| format!("write {}", Duration::EXPECTED))
}
