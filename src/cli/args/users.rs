//! The arguments of `tidegate users`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::auth::Realm;

pub(super) fn command() -> Command {
    let about =
        |name: &'static str, about: &'static str| Command::new(name).about(about).arg(file());
    Command::new("users")
        .about("Make and change files of users, for --users")
        .subcommand_required(true)
        .subcommand(
            about(
                "add",
                "Add a user, or set another password; it is asked for, or read from stdin",
            )
            .arg(name())
            .args(digest()),
        )
        .subcommand(about("remove", "Remove a user").arg(name()))
        .subcommand(about("list", "List users, and what is known of their passwords"))
        .subcommand(about("verify", "Check a password: exit 0 or 1").arg(name()))
}

fn file() -> Arg {
    let file = Arg::new("file").value_name("FILE").required(true);
    file.value_parser(value_parser!(PathBuf))
        .help("The file of users; add makes it if there is none")
}

fn name() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("The user's name, as clients send it")
}

fn digest() -> [Arg; 2] {
    let digest = Arg::new("digest").long("digest").action(ArgAction::SetTrue);
    let realm = Arg::new("realm").long("realm").value_name("TEXT").requires("digest");
    [
        digest.help("For Digest, which needs lines of its own"),
        realm
            .value_parser(|text: &str| text.parse::<Realm>())
            .help("The realm of the proxy, as its --realm has it [default: tidegate]"),
    ]
}

/// The file, and what is to be done with it; nothing without a subcommand, which is required.
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

/// What is to be done with a file of users.
#[derive(Clone, Debug)]
pub(crate) enum UsersRequest {
    /// Adds a user, or gives one another password; for Digest in a realm if there is one.
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
