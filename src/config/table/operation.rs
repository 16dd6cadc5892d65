//! Options for operators: access log, name in Via, control socket and metrics.

use std::net::SocketAddr;

use crate::config::options::ControlTarget;
use crate::http::hop;

use super::spec::{OptionSpec, one};

pub(super) const OPERATION: &[OptionSpec] = &[
    one(
        "access-log",
        "-|FILE|syslog|journald|off",
        "Target of the access log, one line a request; - is standard output; syslog:PATH, \
         syslog:udp://HOST:PORT and journald are daemons [default: -]",
        |o, text| text.parse().map(|target| o.access_log = target),
        |o| vec![o.access_log.to_string()],
    ),
    one(
        "log-format",
        "FORMAT",
        "Format of the access log: human, combined, squid, json, or custom: TEXT with fields such as {url} [default: human]",
        |o, text| text.parse().map(|format| o.log_format = format),
        |o| vec![o.log_format.to_string()],
    ),
    one(
        "via",
        "NAME",
        "Name of this proxy in Via, which detects loops [default: a random name]",
        |o, text| match hop::is_pseudonym(text) {
            true => {
                o.via = Some(text.to_owned());
                Ok(())
            }
            false => Err(format!("'{text}' is not a name of letters, digits, '-', '.' and '_'")),
        },
        |o| o.via.iter().cloned().collect(),
    ),
    one(
        "control",
        "PATH|off",
        "Unix socket for 'tidegate purge', 'stats' and 'reload', usable by the same user only \
         [default: tidegate-PORT.sock in $XDG_RUNTIME_DIR, /run/tidegate or /tmp/tidegate-UID]",
        |o, text| {
            o.control = match text {
                "" => return Err("expected a path or off".into()),
                "off" => ControlTarget::Off,
                path => ControlTarget::At(path.into()),
            };
            Ok(())
        },
        |o| match &o.control {
            ControlTarget::Default => Vec::new(),
            ControlTarget::At(path) => vec![path.display().to_string()],
            ControlTarget::Off => vec!["off".into()],
        },
    ),
    one(
        "admin",
        "ADDR:PORT",
        "Address that serves metrics for Prometheus at /metrics, without authentication [default: \
         off]",
        |o, text| {
            let address = text.parse().map_err(|_| format!("'{text}' is not ADDR:PORT"))?;
            o.admin = Some(address);
            Ok(())
        },
        |o| o.admin.iter().map(SocketAddr::to_string).collect(),
    ),
];
