//! Bounds on what is taken of an answer.

/// Most CNAME records that are followed from one name, in one response or in several.
pub const LONGEST_CHAIN: usize = 16;
/// Most addresses of one family taken from one answer; more would never be dialled.
pub const MOST_ADDRESSES: usize = 32;
