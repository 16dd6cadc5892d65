//! Options for the process: its user, group and rights, and its supervisor.

use std::time::Duration;

use crate::units::Unit;

use super::spec::{OptionSpec, flag, one};
use super::value::{named, on_or_off, switch, unit};

/// Shortest heartbeat timeout: a busy machine delays a loop for longer than less.
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) const PROCESS: &[OptionSpec] = &[
    one(
        "user",
        "NAME",
        "User to run as after a start by root, once all files and sockets are open [default: \
         unchanged]",
        |o, text| named(&mut o.user, text, "a user's name or number"),
        |o| o.user.iter().cloned().collect(),
    ),
    one(
        "group",
        "NAME",
        "Group to run with, and no other (only with --user) [default: the groups of that user]",
        |o, text| named(&mut o.group, text, "a group's name or number"),
        |o| o.group.iter().cloned().collect(),
    ),
    flag(
        "confine",
        "Drop access to all other files, and the right to listen, once everything is open, as far \
         as the kernel supports it (Landlock) [default: off]",
        |o, text| switch(text).map(|on| o.confine = on),
        |o| on_or_off(o.confine),
    ),
    flag(
        "allow-core-dumps",
        "Allow core dumps of the process, whose memory holds secrets, and debuggers [default: off]",
        |o, text| switch(text).map(|on| o.core_dumps = on),
        |o| on_or_off(o.core_dumps),
    ),
    flag(
        "supervise",
        "Serve in a worker process, and start it again when it ends or hangs; 'tidegate upgrade' \
         replaces it by another binary or configuration [default: off]",
        |o, text| switch(text).map(|on| o.supervise = on),
        |o| on_or_off(o.supervise),
    ),
    one(
        "heartbeat-timeout",
        "TIME",
        "Time without a sign of life after which --supervise ends a worker that hangs, 1s at least \
         [default: 10s]",
        |o, text| {
            let time: Duration = unit(text)?;
            if time < SHORTEST {
                return Err(format!("'{text}' is less than {}", SHORTEST.write()));
            }
            o.heartbeat_timeout = time;
            Ok(())
        },
        |o| vec![o.heartbeat_timeout.write()],
    ),
];
