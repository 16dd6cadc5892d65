//! Content in transfer between clients and origins: bodies, pending responses, send and receive
//! buffers.

pub(super) mod body;
pub(super) mod buffer_pool;
pub(super) mod coded_responses;
pub(super) mod connection_memory;
mod io_slices;
pub(super) mod pending_response;
pub(super) mod readers;
pub(super) mod recv_buffer;
pub(super) mod representation;
pub(super) mod send_buffer;
