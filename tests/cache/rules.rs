//! The rules of the cache's fuzz targets, for arbitrary bytes: fetches in flight and parts are
//! compared with naive models.

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
    fn fetches_in_flight_match_a_list_model(data in bytes(320)) {
        busy_table::rules(&data);
    }

    #[test]
    fn parts_match_a_list_model(data in bytes(400)) {
        parts::rules(&data);
    }

    /// Generates small parts, so that many are stored.
    #[test]
    fn many_parts_are_bounded(starts in prop::collection::vec(0..1000u16, 60..120)) {
        let step = |first: u16| { let [low, high] = first.to_le_bytes(); [low, high, 1, 7] };
        parts::rules(&starts.into_iter().flat_map(step).collect::<Vec<u8>>());
    }
}
