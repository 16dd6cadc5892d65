//! Damaged heads are read as a second, simpler reading of the rules reads them.

use proptest::prelude::*;

use super::generate;
use super::rules::heads;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn damaged_requests_are_read_as_the_reference_reads_them(
        message in generate::request(),
        changes in generate::changes(),
    ) {
        let mut stream = message.wire();
        generate::change(&mut stream, &changes);
        heads::request(&stream);
    }

    #[test]
    fn damaged_responses_are_read_as_the_reference_reads_them(
        message in generate::response(),
        changes in generate::changes(),
    ) {
        let mut stream = message.wire();
        generate::change(&mut stream, &changes);
        heads::response(&stream);
    }
}
