//! What can be configured: one table of options, read from the command line and from a file alike.

mod auth;
mod diagnose;
mod file;
mod options;
mod protect;
mod table;

pub use auth::AuthOptions;
pub use diagnose::ConfigError;
pub use file::read_file;
pub use options::{ControlTarget, LogTarget, Options};
pub use protect::Protect;
pub use table::{OPTIONS, OptionSpec};
