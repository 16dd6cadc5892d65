//! Options for outputs of the access log.

use crate::units::{Bytes, Unit};

use super::spec::{OptionSpec, one};
use super::value::unit;

/// Smallest size of a file before it is rotated.
const SMALLEST: Bytes = Bytes(4096);
/// Most earlier files: each is renamed at each rotation.
const MOST_KEPT: usize = 1000;

pub(super) const LOGGING: &[OptionSpec] = &[
    one(
        "syslog-facility",
        "NAME",
        "Facility of the messages to syslog: daemon, user, or local0 to local7 [default: daemon]",
        |o, text| text.parse().map(|facility| o.log.facility = Some(facility)),
        |o| o.log.facility.iter().map(ToString::to_string).collect(),
    ),
    one(
        "log-rotate-size",
        "SIZE",
        "Size beyond which the file of the access log is renamed to FILE.1 and a new one begun, 4KiB at \
         least [default: off]",
        |o, text| {
            let size: Option<Bytes> = unit(text)?;
            if size.is_some_and(|size| size < SMALLEST) {
                return Err(format!("'{text}' is less than {}", SMALLEST.write()));
            }
            o.log.rotate_size = size;
            Ok(())
        },
        |o| vec![o.log.rotate_size.write()],
    ),
    one(
        "log-rotate-keep",
        "N",
        "Most files of earlier log lines, FILE.1 to FILE.N, from 1 to 1000 [default: 10]",
        |o, text| {
            let keep: usize = unit(text)?;
            if !(1..=MOST_KEPT).contains(&keep) {
                return Err(format!("'{text}' is not a number from 1 to {MOST_KEPT}"));
            }
            o.log.rotate_keep = keep;
            Ok(())
        },
        |o| vec![o.log.rotate_keep.write()],
    ),
];
