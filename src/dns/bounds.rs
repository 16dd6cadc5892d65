//! Bounds on what is taken of an answer.

/// Most CNAME records that a name may lead through, in one response or in several.
pub const LONGEST_CHAIN: usize = 16;
/// Most addresses of one family that are taken of one answer: a client dials far fewer.
pub const MOST_ADDRESSES: usize = 32;
