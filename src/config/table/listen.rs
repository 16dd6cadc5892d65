//! Options for listeners and the origin that they serve.

use crate::proxy::ReverseOrigin;

use super::spec::{OptionSpec, many, one};
use super::value::{push, texts};

pub(super) const LISTEN: &[OptionSpec] = &[
    OptionSpec {
        short: Some('l'),
        ..many(one(
            "listen",
            "ADDR:PORT",
            "Address to listen on; [::] means all addresses, also those of IPv4; port 0 means any free \
             port [default: 127.0.0.1:3128]",
            |o, text| push(&mut o.listen, text, "ADDR:PORT, such as 127.0.0.1:3128 or [::1]:3128"),
            |o| texts(&o.in_clear()),
        ))
    },
    one(
        "to",
        "URL",
        "Run as a reverse proxy: every listener serves this origin [default: forward proxy]",
        |o, text| ReverseOrigin::parse(text).map(|origin| o.to = Some((text.to_owned(), origin))),
        |o| o.to.iter().map(|(text, _)| text.clone()).collect(),
    ),
];
