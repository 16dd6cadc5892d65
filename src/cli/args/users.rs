//! Arguments of `tidegate users`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::auth::Realm;

pub(super) fn command() -> Command {
    let about =
        |name: &'static str, about: &'static str| Command::new(name).about(about).arg(file());
    Command::new("users")
        .about("Create and edit files of users, for --users")
        .subcommand_required(true)
        .subcommand(
            about(
                "add",
                "Add a user or change a password, which is read from the terminal or stdin",
            )
            .arg(name())
            .args(digest()),
        )
        .subcommand(about("remove", "Remove a user").arg(name()))
        .subcommand(about("list", "List users, and the kind of their stored passwords"))
        .subcommand(
            about("verify", "Check a password: exit 0 if it is right, 1 if not").arg(name()),
        )
}

fn file() -> Arg {
    let file = Arg::new("file").value_name("FILE").required(true);
    file.value_parser(value_parser!(PathBuf))
        .help("File of users; 'add' creates it if it does not exist")
}

fn name() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("Name of the user, as clients send it")
}

fn digest() -> [Arg; 2] {
    let digest = Arg::new("digest").long("digest").action(ArgAction::SetTrue);
    let realm = Arg::new("realm").long("realm").value_name("TEXT").requires("digest");
    [
        digest.help("Store hashes for Digest, which also serve Basic"),
        realm
            .value_parser(|text: &str| text.parse::<Realm>())
            .help("Realm, as in the proxy's --realm [default: tidegate]"),
    ]
}

/// Returns the file and the request; `None` without a subcommand, which clap rejects.
pub(super) fn read(matches: &ArgMatches) -> Option<(PathBuf, UsersRequest)> {
    let (what, matches) = matches.subcommand()?;
    let name = || matches.get_one::<String>("name").cloned();
    let request = match what {
        "add" => {
            let realm = || matches.get_one::<Realm>("realm").cloned().unwrap_or_default();
            UsersRequest::Add { name: name()?, realm: matches.get_flag("digest").then(realm) }
        }
        "remove" => UsersRequest::Remove { name: name()? },
        "verify" => UsersRequest::Verify { name: name()? },
        _ => UsersRequest::List,
    };
    Some((matches.get_one::<PathBuf>("file")?.clone(), request))
}

/// Request of `tidegate users` on a file.
#[derive(Clone, Debug)]
pub(crate) enum UsersRequest {
    /// Adds a user or changes a password. Stores hashes for Digest if there is a realm, and one for
    /// Basic otherwise.
    Add {
        name: String,
        realm: Option<Realm>,
    },
    Remove {
        name: String,
    },
    List,
    Verify {
        name: String,
    },
}
