//! Mapped fields keep the rules of the fuzz target, whatever an origin sends.

use proptest::prelude::*;

use super::rules::mapping::rules;

/// Parts from which values are composed that are nearly valid.
const PARTS: &[&str] = &[
    "http://o.test:81",
    "HTTPS://W.test:443",
    "http://i.test",
    "https://other.test",
    "/base",
    "/app",
    "/a",
    "/",
    "//",
    "\\",
    "..",
    "/../",
    "%2e",
    "%2E.",
    "?q",
    "#f",
    "\t",
    " ",
    "\r\n",
    "\0",
    "\u{e4}",
    "<",
    ">",
    ">; rel=\"a, b\", <",
    ",",
    ";",
    "=",
    "\"",
    "'",
    "\\\"",
    "5; url=",
    "0;URL='",
    "a=b",
    "__Host-",
    "; Domain=",
    "; Path=",
    ";path = /base",
    "o.test",
    ".i.test",
    "w.test",
    "; Secure",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn composed_values_keep_the_rules(parts in prop::collection::vec(prop::sample::select(PARTS), 0..12)) {
        rules(parts.concat().as_bytes());
    }

    #[test]
    fn targets_below_the_prefix_keep_the_rules(
        start in prop::sample::select(&["", "http://o.test:81", "</base/x>, <", "5; url=", "a; Path="][..]),
        below in "[/\\\\.a\t%2eE?#]{0,12}",
    ) {
        rules(format!("{start}/base{below}").as_bytes());
        rules(format!("{start}/{below}").as_bytes());
        rules(format!("{start}/base{below}>; rel=next").as_bytes());
    }

    #[test]
    fn any_bytes_keep_the_rules(value in prop::collection::vec(any::<u8>(), 0..64)) {
        rules(&value);
    }
}
