//! `tidegate serve`: the files of a folder.

use clap::{Arg, ArgMatches, Command};

use crate::config::OptionSpec;

use super::options::OptionValues;

/// Address at which files are served unless another is given: that of a proxy would surprise.
const LISTEN: &str = "127.0.0.1:8080";

pub(super) fn command() -> Command {
    Command::new("serve").about("Serve the files of a folder").arg(
        Arg::new("served").value_name("DIR").required(true).help("Folder whose files are served"),
    )
}

/// Returns the options for which the folder stands.
pub(super) fn given(matches: &ArgMatches) -> OptionValues {
    let served = matches.get_one::<String>("served").cloned();
    let is_given = |name: &str| matches.contains_id(name);
    let listens = ["listen", "listen-tls", "config"].into_iter().any(is_given);
    let listen = (!listens).then(|| ("listen", LISTEN.to_owned()));
    let folder = served.map(|folder| ("folder", folder));
    let options = folder.into_iter().chain(listen);
    options.filter_map(|(name, text)| Some((OptionSpec::find(name)?, text))).collect()
}
