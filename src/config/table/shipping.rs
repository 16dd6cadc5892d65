//! Options for shipping log lines to a log server.

use crate::config::ship::LEAST_BUFFER;
use crate::units::{Bytes, Unit};

use super::spec::{OptionSpec, flag, many, one};
use super::value::{on_or_off, switch, unit};

pub(super) const SHIPPING: &[OptionSpec] = &[
    one(
        "log-ship",
        "URL",
        "Log server that gets each line in JSON, beside the access log: loki+http://HOST:PORT or \
         otlp+https://HOST:PORT [default: none]",
        |o, text| text.parse().map(|server| o.log.ship.server = Some(server)),
        |o| o.log.ship.server.iter().map(ToString::to_string).collect(),
    ),
    many(one(
        "log-ship-label",
        "NAME=VALUE",
        "Label of all lines for --log-ship: of the stream for Loki, of the resource for OTLP",
        |o, text| o.log.ship.labels.add(text),
        |o| o.log.ship.labels.texts(),
    )),
    one(
        "log-ship-tenant",
        "NAME",
        "Tenant for --log-ship (X-Scope-OrgID) [default: none]",
        |o, text| match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => {
                o.log.ship.tenant = Some(text.to_owned());
                Ok(())
            }
            false => Err(format!("'{text}' is no name of printable characters without spaces")),
        },
        |o| o.log.ship.tenant.iter().cloned().collect(),
    ),
    one(
        "log-ship-auth",
        "basic:FILE|bearer:FILE",
        "File with USER:PASSWORD or a token for --log-ship [default: none]",
        |o, text| text.parse().map(|auth| o.log.ship.auth = Some(auth)),
        |o| o.log.ship.auth.iter().map(ToString::to_string).collect(),
    ),
    flag(
        "log-ship-gzip",
        "Compress requests of --log-ship [default: on]",
        |o, text| switch(text).map(|on| o.log.ship.gzip = on),
        |o| on_or_off(o.log.ship.gzip),
    ),
    one(
        "log-ship-buffer",
        "SIZE",
        "Memory for lines that --log-ship has not sent yet, 2MiB at least [default: 16MiB]",
        |o, text| {
            let size: Bytes = unit(text)?;
            if size < LEAST_BUFFER {
                return Err(format!("'{text}' is less than {}", LEAST_BUFFER.write()));
            }
            o.log.ship.buffer = size;
            Ok(())
        },
        |o| vec![o.log.ship.buffer.write()],
    ),
    one(
        "log-spool",
        "DIR",
        "Folder for lines of --log-ship beyond log-ship-buffer, and for those that are not sent when the \
         process ends [default: none]",
        |o, text| match text {
            "" => Err("expected a folder".into()),
            folder => {
                o.log.ship.spool = Some(folder.into());
                Ok(())
            }
        },
        |o| o.log.ship.spool.iter().map(|folder| folder.display().to_string()).collect(),
    ),
    one(
        "log-spool-size",
        "SIZE",
        "Most bytes of lines in --log-spool; further ones are dropped and counted [default: 256MiB]",
        |o, text| unit(text).map(|size| o.log.ship.spool_size = size),
        |o| vec![o.log.ship.spool_size.write()],
    ),
];
