//! Rules of RFC 9111: storing, freshness and selection of responses.

mod coding;
pub(super) mod control;
pub(super) mod freshness;
pub(super) mod freshness_rules;
pub(super) mod lifetime;
mod preference;
pub(super) mod presented;
pub(super) mod response;
pub(super) mod selecting;
pub(super) mod storable;
pub(super) mod tags;
mod targeted;
pub(super) mod vary;
