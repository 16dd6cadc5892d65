//! Origins: their names resolved, their addresses dialled, their connections kept.

pub(super) mod dial;
pub(super) mod pool;
pub(super) mod resolver;
