//! Sockets of a reactor: the transport below them, operations, listeners and connectors.

pub(super) mod address_order;
mod closing;
pub(super) mod connector;
pub(super) mod layer;
pub(super) mod listener;
pub(super) mod local;
pub(super) mod local_connector;
pub(super) mod open;
mod operations;
pub(super) mod sockets;
pub(super) mod tcp;
pub(super) mod transport;
