//! Listeners for operators.

use crate::reactor::{Driven, Listener};

/// What is spoken with operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Lines, by the owner of the process.
    Control,
    /// HTTP, by what gathers figures.
    Metrics,
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
