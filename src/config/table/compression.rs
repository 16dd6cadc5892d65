//! Options for compression on the fly.

use crate::config::compression::{codings, codings_text};
use crate::units::{Bytes, Unit};

use super::spec::{OptionSpec, flag, many, one};
use super::value::{on_or_off, switch, texts, unit};

pub(super) const COMPRESSION: &[OptionSpec] = &[
    OptionSpec {
        flag: true,
        ..one(
            "compress",
            "on|off|CODINGS",
            "Compress content for clients that accept it: on, by zstd, br or gzip; or by these codings, in \
             this order of preference, such as br,gzip [default: off]",
            |o, text| codings(text).map(|codings| o.compression.codings = Some(codings)),
            |o| codings_text(o.compression.codings.as_deref().unwrap_or_default()),
        )
    },
    one(
        "compress-min-length",
        "SIZE",
        "Length of the shortest content to compress; content of unknown length is compressed [default: 1KiB]",
        |o, text| unit(text).map(|size: Bytes| o.compression.min_length = Some(size.0)),
        |o| vec![Bytes(o.compression.min_length()).write()],
    ),
    many(one(
        "compress-types",
        "TYPE",
        "Media types to compress, in place of those by default: TYPE/NAME, TYPE/*, *+SUFFIX, or * for all \
         but text/event-stream [default: text, scripts, JSON, XML, SVG, WebAssembly and plain fonts]",
        |o, text| text.parse().map(|range| o.compression.types.push(range)),
        |o| texts(&o.compression.types),
    )),
    flag(
        "compress-private",
        "Compress also responses that may be for one user: an attacker who can choose a part of their content \
         and see their length can guess secrets in them [default: off]",
        |o, text| switch(text).map(|on| o.compression.private = Some(on)),
        |o| on_or_off(o.compression.private.unwrap_or_default()),
    ),
];
