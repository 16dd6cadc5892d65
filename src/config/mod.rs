//! Configuration: one table of options, which both the command line and the file use.

mod acme;
mod auth;
mod auth_warnings;
mod changes;
mod diagnose;
mod file;
mod files;
mod name_server;
mod options;
mod print;
mod protect;
mod rules;
mod schemes;
mod table;
mod tls;

pub use acme::AcmeOptions;
pub use auth::AuthOptions;
pub use changes::{Change, ChangeKind, takes_restart};
pub use diagnose::ConfigError;
pub use file::read_file;
pub use files::{read, read_secret};
pub use options::{ControlTarget, LogTarget, Options, ResolverKind};
pub use protect::Protect;
pub use rules::RuleOptions;
pub use table::{OPTIONS, OptionSpec};
pub use tls::{TlsOptions, places_of_authorities};
