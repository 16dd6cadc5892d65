//! The rules of the fuzz targets of the cache, for any bytes: fetches in flight and parts beside naive
//! models that compare all with all.

use proptest::prelude::*;

#[path = "../../fuzz/src/busy_table.rs"]
#[allow(unreachable_pub, reason = "it is public in a crate of its own")]
mod busy_table;
#[path = "../../fuzz/src/parts.rs"]
#[allow(unreachable_pub, reason = "it is public in a crate of its own")]
mod parts;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #[test]
    fn fetches_in_flight_are_found_as_in_a_list(data in bytes(320)) {
        busy_table::rules(&data);
    }

    #[test]
    fn parts_are_those_that_were_added(data in bytes(400)) {
        parts::rules(&data);
    }

    /// Small parts, so that there are many.
    #[test]
    fn many_parts_are_bounded(starts in prop::collection::vec(0..1000u16, 60..120)) {
        let step = |first: u16| { let [low, high] = first.to_le_bytes(); [low, high, 1, 7] };
        parts::rules(&starts.into_iter().flat_map(step).collect::<Vec<u8>>());
    }
}
