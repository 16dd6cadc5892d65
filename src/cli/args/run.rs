//! Arguments of `tidegate run`: all options.

use clap::{Arg, ArgAction};

use crate::config::{OPTIONS, OptionSpec};

pub(super) fn run_args() -> Vec<Arg> {
    let mut args: Vec<Arg> = OPTIONS.iter().map(arg).collect();
    args.insert(
        2,
        Arg::new("config")
            .short('c')
            .long("config")
            .value_name("FILE")
            .help("Read options from this TOML file first"),
    );
    args
}

pub(super) fn print_config() -> Arg {
    Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the resulting configuration and exit")
}

pub(super) fn arg(option: &'static OptionSpec) -> Arg {
    let action = if option.many { ArgAction::Append } else { ArgAction::Set };
    let arg = Arg::new(option.name).long(option.name).value_name(option.value);
    let arg = arg.action(action).help(option.help).allow_hyphen_values(option.name == "access-log");
    let arg = match option.flag {
        true => arg.num_args(0..=1).require_equals(true).default_missing_value("on"),
        false => arg,
    };
    match option.short {
        Some(letter) => arg.short(letter),
        None => arg,
    }
}
