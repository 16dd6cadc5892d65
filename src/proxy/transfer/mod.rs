//! Content in transfer between clients and origins: bodies, responses, input and output.

pub(super) mod body;
pub(super) mod buffer_pool;
pub(super) mod connection_memory;
pub(super) mod input;
mod io_slices;
pub(super) mod output;
pub(super) mod readers;
pub(super) mod representation;
pub(super) mod response;
