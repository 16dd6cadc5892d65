//! Listeners for operators.

use crate::reactor::{Driven, Listener};

/// The protocol of a listener for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A request line on a local socket that only the owner of the process can open.
    Control,
    /// HTTP, for browsers and for programs that collect metrics.
    Http,
}

/// A listener for operators.
#[derive(Debug)]
pub(crate) struct AdminListener {
    pub(super) socket: Listener,
    pub(super) protocol: Protocol,
}

impl Driven for AdminListener {
    const KIND: u8 = 6;
}
