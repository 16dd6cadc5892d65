//! Damaged heads are parsed as a second, simpler implementation of the rules parses them.

use proptest::prelude::*;

use super::generate;
use super::rules::heads;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn damaged_requests_parse_as_in_the_reference(
        message in generate::request(),
        changes in generate::changes(),
    ) {
        let mut stream = message.wire();
        generate::change(&mut stream, &changes);
        heads::request(&stream);
    }

    #[test]
    fn damaged_responses_parse_as_in_the_reference(
        message in generate::response(),
        changes in generate::changes(),
    ) {
        let mut stream = message.wire();
        generate::change(&mut stream, &changes);
        heads::response(&stream);
    }
}
