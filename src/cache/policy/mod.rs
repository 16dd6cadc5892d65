//! Rules of RFC 9111: storing, freshness and selection of responses.

mod coding;
pub(super) mod control;
pub(super) mod freshness;
mod freshness_rule;
pub(super) mod freshness_rules;
mod preference;
pub(super) mod presented;
pub(super) mod storable;
pub(super) mod tags;
mod targeted;
pub(super) mod vary;
