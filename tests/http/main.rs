//! HTTP/1.x through its public interface: bytes in, events out, and heads written back.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod accepted;
mod corpus;
mod dates;
mod egress;
mod fields;
mod generate;
mod hops;
mod limits;
mod mapping;
mod preconditions;
mod ranges;
mod reference;
mod refusals;
mod reuse;
mod round_trip;
/// The assertions of the fuzz targets, shared with these tests.
#[allow(unreachable_pub, reason = "it is public in a crate of its own")]
#[path = "../../fuzz/src/lib.rs"]
mod rules;
mod split;
mod status;
mod support;
mod wiped;
mod work;
